"""Slots in which a job rests, in the ledger: rows that are born SKIPPED, and grow while the job goes on resting."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db.models import OuterRef, Subquery

from scheduler_app import bulk, rollups
from scheduler_app.catchup import Passed, text_of
from scheduler_app.ledger import adopt, ended_of
from scheduler_app.models import JobRun, ScheduleEpoch
from scheduler_app.states import Reason, RunState

logger = logging.getLogger(__name__)

GROWING = ("slot_last", "slot_count", "finished_at", "error")


def insert(runs: Sequence[JobRun], cursors: Mapping[int, datetime | None]) -> None:
    """Insert these rows; one that begins at its epoch's cursor lets the row before it grow where both have one reason.

    Whoever calls this holds the lock on the jobs' Timetable rows, and has written nothing else of their slots from
    `cursors` (by epoch) on. Receivers are not told: to rest is what was asked for.
    """
    latest = _latest({run.epoch for run in runs if run.epoch})
    uncovered = [run for run in runs if not _is_covered(run, latest.get(run.epoch))]
    fresh = _without_rows(uncovered)
    pairs = [
        (latest[run.epoch], run)
        for run in fresh
        if run.slot == cursors.get(run.epoch or 0) and _is_alike(run, latest.get(run.epoch))
    ]
    grown = _grow(pairs)
    for run in JobRun.objects.bulk_create([run for run in fresh if id(run) not in grown]):
        extra = {"job_id": run.job_id, "run_id": run.pk, "reason": run.reason}
        logger.info("job_run_skipped", extra=extra)
    rollups.count_runs([ended_of(run) for run in fresh])


def _without_rows(runs: Sequence[JobRun]) -> list[JobRun]:
    """Those whose slot no run has that started too early, while the clock was ahead."""
    slots = {run.slot for run in runs}
    early = JobRun.objects.filter(
        job_id__in={run.job_id for run in runs}, slot__in=slots, epoch=None
    )
    known = set(early.values_list("job_id", "slot")) if runs else set()
    adopt([run for run in runs if (run.job_id, run.slot) in known])
    return [run for run in runs if (run.job_id, run.slot) not in known]


def _latest(epochs: Collection[int]) -> dict[int | None, JobRun]:
    """The row with the last slot of each of these epochs, in one query that looks at no other slots."""
    rows = JobRun.objects.filter(
        job_id=OuterRef("job_id"), slot__gt=OuterRef("opened_at"), epoch=OuterRef("pk")
    )
    last = Subquery(rows.order_by("-slot").values("pk")[:1])
    ids = ScheduleEpoch.objects.filter(pk__among=list(epochs)).annotate(last=last).values("last")
    return {run.epoch: run for run in JobRun.objects.light().filter(pk__in=ids)}


def _end_of(run: JobRun) -> datetime:
    end = run.slot_last or run.slot
    assert end is not None
    return end


def _is_covered(run: JobRun, latest: JobRun | None) -> bool:
    return latest is not None and run.slot is not None and _end_of(latest) >= run.slot


def _is_alike(run: JobRun, latest: JobRun | None) -> bool:
    return latest is not None and (latest.state, latest.reason) == (RunState.SKIPPED, run.reason)


def _grow(pairs: Sequence[tuple[JobRun, JobRun]]) -> set[int]:
    """Take the slots of each second row into the first; returns the `id()` of those second rows.

    A first row that was pruned in the meantime does not change, so that its second one is left to be inserted.
    """
    rows = {old.pk: (_with(old, new), new) for old, new in pairs}
    changed = bulk.update_each(
        JobRun,
        [row for row, _new in rows.values()],
        match=("id",),
        values=GROWING,
        only={"state": RunState.SKIPPED},
    )
    return {id(rows[pk][1]) for (pk,) in changed}


def _with(old: JobRun, new: JobRun) -> dict[str, object]:
    assert old.slot is not None
    both = Passed(
        first=old.slot,
        last=_end_of(new),
        count=old.slot_count + new.slot_count,
        state=RunState.SKIPPED,
        reason=Reason(old.reason),
    )
    return {
        "id": old.pk,
        "slot_last": both.last,
        "slot_count": both.count,
        "finished_at": new.finished_at,
        "error": text_of(both),
    }
