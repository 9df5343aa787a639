"""Jobs of whose failures the owner would not be told, or late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from notifications_app import preferences
from notifications_app.channels.system.channel import IN_APP
from notifications_app.models import NotificationSettings
from notifications_app.reach import Audience, Reach, Wanted, is_silent
from notifications_app.week import Week, weeks
from scheduler_app.models import ScheduledJob
from scheduler_app.states import Severity
from scheduler_app.verify_report import Finding, Note

NAMED = 5


@dataclass(frozen=True, slots=True)
class Owners:
    """The enabled jobs by owner and severity of their alerts, and the settings of the recipients."""

    jobs: Mapping[Wanted, list[str]]
    reach: Reach

    @classmethod
    def read(cls) -> Owners:
        jobs: dict[Wanted, list[str]] = defaultdict(list)
        rows = ScheduledJob.objects.filter(enabled=True).order_by("pk")
        for pk, owner, severity in rows.values_list("pk", "owner", "severity"):
            if not is_silent(owner):
                known = severity if severity in preferences.RANK else Severity.ERROR  # a broken row
                jobs[Wanted(owner, known)].append(pk)
        return cls(jobs, Reach(one.owner for one in jobs))

    def weeks(self, now: datetime) -> dict[Wanted, Week]:
        return weeks(self.reach, self.jobs, now)

    def names_of_jobs(self, wanted: Wanted) -> str:
        found = self.jobs[wanted]
        return ", ".join(found[:NAMED]) + (", …" if len(found) > NAMED else "")


def unreached() -> dict[str, Finding]:
    """By enabled job what is wrong with its owner: a name that means no one, or people whom no channel reaches."""
    owners = Owners.read()
    problems = owners.reach.problems()
    found: dict[str, Finding] = {}
    for wanted, jobs in owners.jobs.items():
        audience = owners.reach.audience(wanted)
        if text := problems.get(wanted.owner, ""):
            hint = _("Name a user, an address or a group that can be told.")
        elif text := _unreached(owners.reach, audience, wanted):
            hint = _(
                "Give an address at /settings/ or in the admin, switch a channel on, or name another owner."
            )
        else:
            continue
        text = " ".join(filter(None, (text, _instead(audience))))
        found |= {job: Finding(kind="owner", job=job, text=text, hint=hint) for job in jobs}
    return found


def of_owners(now: datetime) -> Iterable[Finding]:
    return unreached().values()


def _unreached(reach: Reach, audience: Audience, wanted: Wanted) -> str:
    if not audience.obstacles:
        return ""
    facts = {"people": _names(audience.people), "why": audience.obstacles}
    has_inbox = any(
        way.channel == IN_APP and not way.obstacle
        for one in audience.people
        for way in reach.ways(one, wanted)
    )
    if has_inbox:
        return _("Only the in-app inbox reaches %(people)s (%(why)s).") % facts
    return _("No channel reaches %(people)s (%(why)s).") % facts


def _instead(audience: Audience) -> str:
    """The recipients in place of the owner."""
    others = [*audience.stand_ins, *audience.last_resort]
    return _("Told instead: %(people)s.") % {"people": _names(others)} if others else ""


def _names(people: Iterable[NotificationSettings]) -> str:
    names = [preferences.person_of(one).name for one in people]
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def of_hours(now: datetime) -> Iterator[Finding]:
    """Owners of whom a failure in the coming week would be told late or not at all although channels reach them.

    That a CRITICAL failure waits is a finding, and that an operator holds every channel. Quiet hours in which others
    wait, and severities below every limit, are wishes of the person: notes.
    """
    owners = Owners.read()
    for wanted, week in owners.weeks(now).items():
        jobs = f"{wanted.owner} ({owners.names_of_jobs(wanted)})"
        if week.is_held:
            text = _("%(jobs)s: every channel is held, so a failure waits for its release.")
            hint = _("Release a channel in the admin or at /channels/.")
            yield Finding(kind="held", text=text % {"jobs": jobs}, hint=hint)
        elif not week.is_reached and not week.audience.obstacles:
            text = _("%(jobs)s: a failure is below the least severity of every channel.")
            yield Note(kind="severity", text=text % {"jobs": jobs})
        else:
            for words in week.in_words():
                yield _late(f"{jobs}: {words}.", wanted.severity)


def _late(text: str, severity: str) -> Finding:
    if severity != Severity.CRITICAL:
        return Note(kind="quiet_hours", text=text)
    hint = _("Let critical alerts break the silence, or add an owner with other quiet hours.")
    return Finding(kind="quiet_hours", text=text, hint=hint)
