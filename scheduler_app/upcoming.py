"""When a job runs next, for whoever reads of it: slots in which it rests are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from scheduler_app import calendar_days, epochs
from scheduler_app.calendars import Days
from scheduler_app.declarations import JobDeclaration
from scheduler_app.errors import ScheduleError
from scheduler_app.models import ScheduledJob, ScheduleEpoch
from scheduler_app.rests import Rests
from scheduler_app.timetable import Schedule
from scheduler_app.wall_clock import INSTANT

NEXT_TIMES = 5
FORESEEN = timedelta(days=2 * 366)
"""A job that rests in all slots of so long is taken to rest for ever."""


def next_times(job: ScheduledJob, now: datetime) -> list[datetime]:
    """The next runs of a job that is switched on; none where it is off or its schedule is broken."""
    if not epochs.is_on(job):
        return []
    epoch = ScheduleEpoch.objects.filter(job_id=job.pk, closed_at=None).order_by("-pk").first()
    try:
        return times_of(epochs.definition_of(job), epoch.opened_at if epoch else now, now)
    except ScheduleError:
        return []


def times_of(definition: dict[str, Any], anchor: datetime, now: datetime) -> list[datetime]:
    """The next runs by a definition as of `epochs`; fewer than usual where it rests for long. Raises ScheduleError."""
    schedule = epochs.schedule_of(definition, anchor)
    rests = epochs.rests_of(definition, calendar_days.entered_for([definition["calendar"]]))
    if rests is None:
        return schedule.next_times(now, NEXT_TIMES)
    return list(islice(rests.open_slots(schedule, now, now + FORESEEN), NEXT_TIMES))


def next_open(schedule: Schedule, rests: Rests, after: datetime) -> datetime | None:
    return next(rests.open_slots(schedule, after, after + FORESEEN), None)


def next_runs(
    jobs: Iterable[ScheduledJob | JobDeclaration], due: Mapping[str, datetime | None], days: Days
) -> dict[str, datetime | None]:
    """When each of `jobs` runs, whose next slots are `due`; `days` as of `calendar_days`."""
    resting = {job.id: job for job in jobs if job.calendar or job.blackouts}
    runs = {job_id: _first_open(job, due.get(job_id), days) for job_id, job in resting.items()}
    return {**due, **runs}


def _first_open(
    job: ScheduledJob | JobDeclaration, slot: datetime | None, days: Days
) -> datetime | None:
    definition = epochs.definition_of(job)
    try:
        rests = epochs.rests_of(definition, days)
        if slot is None or rests is None:
            return slot
        return next_open(epochs.schedule_of(definition, slot), rests, slot - INSTANT)
    except ScheduleError:
        return slot
