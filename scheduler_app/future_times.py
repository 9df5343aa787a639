"""Times that were stored while the database's clock was ahead: found, and put right, once it is correct again.

A cursor beyond the slot that the schedule gives for now keeps its job from running until then. The slots up to such a
cursor may have rows: runs that started too early, and slots that were written off although their time had not come.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce

from scheduler_app import epochs
from scheduler_app.claims import definition_from
from scheduler_app.errors import ScheduleError
from scheduler_app.models import JobRun, ScheduleEpoch, Timetable
from scheduler_app.timetable import Schedule

logger = logging.getLogger(__name__)

TOLERANCE = timedelta(minutes=1)
"""What is off by less mends itself before a person could."""
RUNS_LOOKED_AT = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class LateCursor:
    """A job that will not run before `stored`, although its schedule has the slot `expected` without a run."""

    job_id: str
    stored: datetime
    expected: datetime


class Stored(NamedTuple):
    """A row of the timetable with the schedule epoch to which it belongs (as JSON; None: there is none)."""

    job_id: str
    next_run_time: datetime | None
    definition: str | None
    opened_at: datetime | None


def stored(rows: QuerySet[Timetable]) -> list[Stored]:
    """By one query."""
    epoch = ScheduleEpoch.objects.filter(pk=OuterRef("epoch"))
    text = epoch.annotate(text=Cast("definition", TextField())).values("text")
    found = rows.annotate(definition=Subquery(text), opened_at=Subquery(epoch.values("opened_at")))
    return [Stored(*row) for row in found.order_by("job_id").values_list(*Stored._fields)]


def find(now: datetime, job_ids: Collection[str] | None = None) -> list[LateCursor]:
    """The late cursors of these jobs (default: of all)."""
    rows = Timetable.objects.filter(next_run_time__gt=now + TOLERANCE)
    if job_ids is not None:
        rows = rows.filter(pk__among=job_ids)
    return late_ones(stored(rows), now)


def late_ones(rows: Iterable[Stored], now: datetime) -> list[LateCursor]:
    """Those of `rows` that are late. Asks for runs only where a cursor may be."""
    doubtful: list[tuple[str, datetime, Schedule]] = []
    for row in rows:
        schedule = _schedule(row, now)
        following = schedule.next_after(now + TOLERANCE) if schedule else None
        if schedule and following and row.next_run_time and following < row.next_run_time:
            doubtful.append((row.job_id, row.next_run_time, schedule))
    taken = _slots_with_runs({job_id for job_id, _, _ in doubtful}, now)
    found = []
    for job_id, cursor, schedule in doubtful:
        slot = _first_free(schedule, taken[job_id], now)
        if slot and slot < cursor:
            found.append(LateCursor(job_id=job_id, stored=cursor, expected=slot))
    return found


def _schedule(row: Stored, now: datetime) -> Schedule | None:
    """That of an epoch. One that begins in the future was opened by the same clock, and should have begun by now."""
    if row.definition is None or row.opened_at is None:
        return None
    begin = now if _is_off(row.opened_at, now) else row.opened_at
    try:
        return epochs.schedule_of(definition_from(row.definition), begin)
    except ScheduleError:  # a finding of its own
        return None


def _is_off(opened_at: datetime, now: datetime) -> bool:
    return opened_at > now + TOLERANCE


def _slots_with_runs(job_ids: Collection[str], now: datetime) -> Mapping[str, set[datetime]]:
    """Slots after `now` whose bodies were started, or wait to be: they are not run again."""
    slots: defaultdict[str, set[datetime]] = defaultdict(set)
    if job_ids:
        runs = JobRun.objects.filter(job_id__among=job_ids, slot__gt=now).exclude(
            state__in=epochs.UNSTARTED
        )
        for job_id, slot in runs.values_list("job_id", "slot")[:RUNS_LOOKED_AT]:
            if slot is not None:
                slots[job_id].add(slot)
    return slots


def _first_free(schedule: Schedule, taken: Collection[datetime], now: datetime) -> datetime | None:
    slot = schedule.next_after(now)
    while slot in taken:
        assert slot is not None
        slot = schedule.next_after(slot)
    return slot


def mend(late: Iterable[LateCursor], now: datetime) -> None:
    """Move these cursors back to the first slot without a row. The caller has locked their Timetable rows.

    A run whose slot has not come keeps it, so that the slot is not run twice. Rows of slots that were written off
    before their time stay as history and lose their slot.
    """
    for one in late:
        row = Timetable.objects.get(pk=one.job_id)
        epoch = ScheduleEpoch.objects.get(pk=row.epoch)
        if _is_off(epoch.opened_at, now):
            epoch.opened_at = now
            epoch.save(update_fields=["opened_at"])
        epochs.leave_future(epoch, now)
        schedule = epochs.schedule_of(epoch.definition, epoch.opened_at)
        row.next_run_time = schedule.next_after(_settled_until(epoch, now))
        row.save(update_fields=["next_run_time"])
        extra = {"job_id": one.job_id, "was": one.stored, "next_run_at": row.next_run_time}
        logger.warning("late_cursor_mended", extra=extra)


def _settled_until(epoch: ScheduleEpoch, now: datetime) -> datetime:
    """Up to when the slots of `epoch` have rows, or had them."""
    rows = JobRun.objects.filter(job_id=epoch.job_id, epoch=epoch.pk, slot__lte=now)
    ends = rows.annotate(end=Coalesce("slot_last", "slot")).order_by("-slot")
    last = ends.values_list("end", flat=True).first()
    known = [
        moment for moment in (epoch.pruned_until, last) if moment is not None and moment <= now
    ]
    return max([epoch.opened_at, *known])


def hasten_runs(now: datetime) -> int:
    """Let runs that were queued in the future (retries, runs by hand) wait from now on; returns how many.

    Those of a slot wait for it.
    """
    late = JobRun.objects.queued().filter(held=False, ready_at__gt=now + TOLERANCE)
    rows = late.filter(queued_at__gt=now + TOLERANCE).exclude(slot=F("ready_at"))
    count = 0
    for run in rows.only("ready_at", "queued_at")[:RUNS_LOOKED_AT]:
        ready_at = now + max(run.ready_at - run.queued_at, timedelta(0))
        unchanged = JobRun.objects.queued().filter(pk=run.pk, queued_at=run.queued_at)
        count += unchanged.update(ready_at=ready_at, queued_at=now)
    if count:
        logger.warning("late_runs_hastened", extra={"runs": count})
    return count
