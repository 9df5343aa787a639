"""Who would be told if a job failed: people, channels and times, before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext as _

from notifications_app import preferences
from notifications_app.channels.system.channel import IN_APP
from notifications_app.models import NotificationSettings
from notifications_app.reach import Reach, Wanted
from notifications_app.week import Week, weeks
from scheduler_app.models import ScheduledJob


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the forecast; `at` None: never, `note` says why."""

    person: str
    channel: str
    address: str
    at: datetime | None
    note: str


def who_is_told(job: ScheduledJob, at: datetime) -> list[Told]:
    """What a failure of `job` at `at` would send to whom; nothing is written."""
    return who_would_hear(job.owner, job.severity, at)


def week_of(job: ScheduledJob, begin: datetime) -> Week:
    """When in the week from `begin` a failure of `job` would be told at once, later or never."""
    wanted = Wanted(job.owner, job.severity)
    return weeks(Reach([job.owner]), [wanted], begin)[wanted]


def who_would_hear(owner: str, severity: str, at: datetime) -> list[Told]:
    """What an alert of `severity` for `owner` at `at` would send to whom."""
    reach, wanted = Reach([owner]), Wanted(owner, severity)
    audience = reach.audience(wanted)
    lines = [line for one in audience.people for line in _lines(reach, one, wanted, at)]
    stand_in = _("stands in: no channel reaches the owner")
    for one in audience.stand_ins:
        lines += [_noted(line, stand_in) for line in _lines(reach, one, wanted, at)]
    for one in audience.last_resort:
        name = preferences.person_of(one).name
        lines.append(Told(name, IN_APP, name, at, stand_in))
    return lines


def _lines(
    reach: Reach, person: NotificationSettings, wanted: Wanted, at: datetime
) -> Iterator[Told]:
    name = preferences.person_of(person).name
    until = preferences.quiet_until(person, wanted.severity, at)
    for way in reach.ways(person, wanted):
        if way.obstacle:
            yield Told(name, way.channel, way.address, None, way.obstacle)
        else:
            line = Told(name, way.channel, way.address, until or at, way.note)
            yield _noted(line, _("after quiet hours")) if until else line


def _noted(line: Told, note: str) -> Told:
    return replace(line, note="; ".join(filter(None, (line.note, note))))
