"""What the file expects against what the database and the living schedulers have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from scheduler_app import epochs, future_times, mirror, problems
from scheduler_app.drift import differences
from scheduler_app.errors import ScheduleError
from scheduler_app.future_times import Stored
from scheduler_app.jobfile import JobFile
from scheduler_app.masking import mask
from scheduler_app.models import Node, ScheduledJob, Timetable
from scheduler_app.nodes import is_silent
from scheduler_app.states import JobState, NodeKind
from scheduler_app.texts import cut_line
from scheduler_app.verify_report import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What stands in the database at `now`; `due` has every timetable row."""

    file: JobFile
    now: datetime
    jobs: Mapping[str, ScheduledJob]
    cursors: list[Stored]
    due: Mapping[str, datetime | None]
    nodes: list[Node]

    @property
    def readers(self) -> list[Node]:
        """The living nodes that read the job file."""
        return [
            node
            for node in self.nodes
            if node.kind != NodeKind.WORKER and not is_silent(node, self.now)
        ]


def look(file: JobFile, now: datetime) -> Live:
    cursors = future_times.stored(Timetable.objects.all())
    return Live(
        file=file,
        now=now,
        jobs=ScheduledJob.objects.in_bulk(),
        cursors=cursors,
        due={row.job_id: row.next_run_time for row in cursors},
        nodes=problems.alive(),
    )


def findings(live: Live) -> Iterator[Finding]:
    """Everything that keeps an expected job from running, or lets one run that should not."""
    for node in live.readers:
        yield from _node_findings(node, live)
    for declared in live.file.jobs:
        yield from _registration_findings(declared.id, declared.as_dict(), live)
    yield from _left_over(live)
    for job in live.jobs.values():
        yield from _timetable_findings(job, live)
    yield from _late_cursors(live)


def notes(live: Live) -> Iterator[Finding]:
    """Differences that somebody wanted: changes made in the admin, and jobs that other files declare."""
    for declared in live.file.jobs:
        if job := live.jobs.get(declared.id):
            yield from _drift(job)
    others = Counter(job.source for job in live.jobs.values() if job.source != live.file.module)
    for source, count in sorted(others.items()):
        text = _("%(count)d more jobs come from %(source)s.") % {"count": count, "source": source}
        yield Finding(kind="other_file", text=text)


def _node_findings(node: Node, live: Live) -> Iterator[Finding]:
    facts = {
        "node": str(node),
        "digest": node.file_digest[:12] or "–",
        "wanted": live.file.digest[:12],
    }
    is_told = bool(node.file_problem) or problems.is_new(node, live.now)
    if not is_told and node.file_digest != live.file.digest:
        text = _("%(node)s knows another job file (%(digest)s, here %(wanted)s).") % facts
        yield Finding(kind="job_file", text=text, hint=_("Deploy the same job file there."))


def _registration_findings(
    job_id: str, declared: Mapping[str, object], live: Live
) -> Iterator[Finding]:
    job, hint = live.jobs.get(job_id), _("Bring it over: manage.py sync_jobs.")
    if job is None or job.state == JobState.ORPHANED or job.source != live.file.module:
        text = _("It is in the job file, but not registered.")
        yield Finding(kind="registration", job=job_id, text=text, hint=hint)
        return
    changed = [name for name in mirror.FIELDS if job.file_values.get(name) != declared[name]]
    if changed:
        text = _("The job file has other values: %(fields)s.") % {"fields": ", ".join(changed)}
        yield Finding(kind="registration", job=job_id, text=text, hint=hint)


def _left_over(live: Live) -> Iterator[Finding]:
    declared = {job.id for job in live.file.jobs}
    for job in live.jobs.values():
        is_ours = job.source == live.file.module and job.state != JobState.ORPHANED
        if is_ours and job.pk not in declared:
            text = _("It is registered, but no longer in the job file.")
            hint = _("Bring it over: manage.py sync_jobs.")
            yield Finding(kind="registration", job=job.pk, text=text, hint=hint)


def _timetable_findings(job: ScheduledJob, live: Live) -> Iterator[Finding]:
    due, hint = live.due.get(job.pk), _("Mend it: manage.py sync_jobs.")
    text = ""
    if job.state == JobState.BROKEN:  # told by its state
        return
    if not epochs.is_on(job) and due is not None:
        text = _("It is switched off, but the timetable has a next run.")
    elif epochs.is_on(job) and due is None and _has_slots(job, live.now):
        text = _("It is switched on, but the timetable has no next run.")
    if text:
        yield Finding(kind="timetable", job=job.pk, text=text, hint=hint)


def _late_cursors(live: Live) -> Iterator[Finding]:
    """Jobs that stand still because their next slot was stored while the database's clock was ahead."""
    for one in future_times.late_ones(live.cursors, live.now):
        facts = {
            "stored": f"{one.stored:%Y-%m-%d %H:%M:%S}",
            "due": f"{one.expected:%Y-%m-%d %H:%M:%S}",
        }
        text = (
            _(
                "Its next run is stored as %(stored)s UTC, but its schedule has one at %(due)s UTC: "
                "the database's clock was ahead."
            )
            % facts
        )
        hint = _("Check that clock, then put it right: manage.py sync_jobs.")
        yield Finding(kind="timetable", job=one.job_id, text=text, hint=hint)


def _has_slots(job: ScheduledJob, now: datetime) -> bool:
    """A one-off time that is over has none any more, and needs no timetable row."""
    try:
        schedule = epochs.schedule_of(epochs.definition_of(job), now)
        return schedule.next_after(now) is not None
    except ScheduleError:
        return True


def _drift(job: ScheduledJob) -> Iterator[Finding]:
    for one in differences(job):
        facts = {"field": one.field, "file": _shown(one.in_file), "here": _shown(one.in_force)}
        text = _("%(field)s is %(here)s here, %(file)s in the file") % facts
        by = " ".join(filter(None, (one.by, one.why)))
        yield Finding(kind="drift", job=job.pk, text=f"{text} ({by})." if by else f"{text}.")


def _shown(value: object) -> str:
    return cut_line(mask(repr(value)), 100)
