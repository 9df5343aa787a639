"""The timetable of a job: its schedule epochs and its cursor.

Whoever calls these functions holds the lock on the job's Timetable row.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from scheduler_app import conf, rests
from scheduler_app.calendars import Days
from scheduler_app.declarations import JobDeclaration
from scheduler_app.errors import ScheduleError
from scheduler_app.models import JobRun, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.rests import Rests
from scheduler_app.states import DstFold, DstGap, JobState, RunState
from scheduler_app.timetable import EPOCH, Schedule
from scheduler_app.wall_clock import INSTANT

NO_EPOCH = 0
RESTING = ("timezone", "calendar", "blackouts")
MALFORMED = (LookupError, TypeError, ValueError, AttributeError)
"""What a value of the wrong kind leads to: rows may have been written past every check."""


def definition_of(job: ScheduledJob | JobDeclaration) -> dict[str, Any]:
    """What decides a job's slots, as an epoch keeps it."""
    return {
        "cron": job.cron,
        "timezone": job.timezone or conf.site_time_zone(),
        "gap": job.dst_gap,
        "fold": job.dst_fold,
        "calendar": job.calendar,
        "blackouts": job.blackouts,
    }


def calendar_of(definition: Any) -> str:
    """The calendar that a definition names, "" where it is none, whatever it is."""
    name = definition.get("calendar") if isinstance(definition, dict) else ""
    return name if isinstance(name, str) else ""


def schedule_of(definition: dict[str, Any], anchor: datetime) -> Schedule:
    """Raises ScheduleError when the definition cannot be understood (any more)."""
    try:
        expression = definition["cron"]
        return _schedule(
            expression,
            definition["timezone"],
            anchor if expression.startswith("every ") else None,  # so that equal crons are equal
            definition["gap"],
            definition["fold"],
        )
    except MALFORMED as error:
        raise _malformed(error) from error


@lru_cache(maxsize=8192)
def _schedule(expression: str, zone: str, anchor: datetime | None, gap: str, fold: str) -> Schedule:
    return Schedule(expression, zone, anchor, DstGap(gap), DstFold(fold))


def rests_of(definition: dict[str, Any], days: Days) -> Rests | None:
    """Which of the slots do not run, None where all do; `days` as of `calendar_days`. Raises ScheduleError."""
    try:
        if not definition["calendar"] and not definition["blackouts"]:
            return None
        zone, calendar, blackouts = (definition[key] for key in RESTING)
        return rests.of(zone, calendar, blackouts, days)
    except MALFORMED as error:
        raise _malformed(error) from error


def _malformed(error: Exception) -> ScheduleError:
    text = _("The schedule in the database has a value of the wrong kind: %(error)s.")
    return ScheduleError(text % {"error": f"{type(error).__name__}: {error}"})


def problem_of(job: ScheduledJob) -> str:
    """Why the job cannot run by its schedule, "" when it can."""
    if job.state == JobState.BROKEN:
        return job.state_error
    definition = definition_of(job)
    try:
        schedule_of(definition, EPOCH)
        rests_of(definition, {})
    except ScheduleError as error:
        return str(error)
    return ""


def is_on(job: ScheduledJob) -> bool:
    return job.enabled and job.state == JobState.ACTIVE


def open_epoch(job: ScheduledJob, row: Timetable, now: datetime, reason: str) -> None:
    """Begin a span with the job's present definition; its first slot lies after `now`."""
    definition = definition_of(job)
    following = schedule_of(definition, now).next_after(now)
    epoch = ScheduleEpoch.objects.create(
        job_id=job.pk, definition=definition, opened_at=now, reason=reason[:200]
    )
    row.epoch, row.next_run_time = epoch.pk, following
    row.save(update_fields=["epoch", "next_run_time"])


UNSTARTED = (RunState.MISSED, RunState.SKIPPED)


def leave_future(epoch: ScheduleEpoch, now: datetime) -> None:
    """Take out of `epoch` the rows of slots after `now`, which a clock that was ahead has left.

    A run keeps its slot and is taken in again when the slot comes. A row of slots that were written off keeps those up
    to `now`; the others become a row without slots, so that every total stays as it is.
    """
    ahead = Q(slot__gt=now) | Q(slot_last__gt=now)
    rows = JobRun.objects.filter(ahead, job_id=epoch.job_id, epoch=epoch.pk)
    rows.exclude(state__in=UNSTARTED).update(epoch=None)
    for row in rows.filter(state__in=UNSTARTED):
        _leave_future(row, epoch, now)


def _leave_future(row: JobRun, epoch: ScheduleEpoch, now: datetime) -> None:
    assert row.slot is not None
    try:
        schedule = schedule_of(epoch.definition, epoch.opened_at)
    except ScheduleError:  # what its slots were is not known any more
        return
    past = schedule.count(row.slot - INSTANT, now)
    if past.count:
        JobRun.objects.filter(pk=row.pk).update(slot_last=past.last, slot_count=past.count)
        row.pk = None
        row.slot_count -= past.count
    row.epoch = row.slot = row.slot_last = None
    row.save()


def close_epoch(row: Timetable, now: datetime) -> None:
    """End the present span: no slot after `now` belongs to it."""
    epoch = ScheduleEpoch.objects.filter(pk=row.epoch, closed_at=None).first()
    if epoch is not None:
        epoch.closed_at = now
        epoch.save(update_fields=["closed_at"])
        if row.next_run_time is not None:
            leave_future(epoch, now)
    row.epoch, row.next_run_time = NO_EPOCH, None
    row.save(update_fields=["epoch", "next_run_time"])


def break_off(job_id: str, now: datetime, error: str) -> None:
    """The schedule cannot be computed: the job stands still until somebody mends it."""
    close_epoch(Timetable.objects.get(pk=job_id), now)
    ScheduledJob.objects.filter(pk=job_id).update(state=JobState.BROKEN, state_error=error)
