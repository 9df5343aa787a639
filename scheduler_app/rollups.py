"""Figures kept beside the rows, in the transaction that changes the rows (promise P6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from scheduler_app import bulk
from scheduler_app.assignments import EndedRun, RunUsage
from scheduler_app.histogram import bucket_of
from scheduler_app.models import DurationTally, LastMiss, LastRun, RunTally
from scheduler_app.models.tallies import ALL_JOBS, ALL_TIME
from scheduler_app.states import FAILED_STATES, RunState
from scheduler_app.texts import cut_line

NOTHING_DONE = (RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED)

NEVER_RAN = {"succeeded_at": None, "failed_at": None, "failing_since": None, "failures_in_row": 0}

Counts = defaultdict[tuple[Any, ...], list[float]]
"""By key: how many, and the sum of their milliseconds."""


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def count_runs(runs: Sequence[EndedRun]) -> None:
    """Book runs that have just become final. Call once for each run, in its transaction, at the end of it."""
    tallies, cells = _nothing(), _nothing()
    all_time, hours = bulk.text_of(ALL_TIME), _HourTexts()
    for run in runs:
        duration_ms, lag_ms = run.duration_ms, run.lag_ms
        for hour in (all_time, hours[hour_of(run.finished_at)]):
            _add(tallies[hour, run.job_id, run.state], run.slot_count, duration_ms or 0.0)
            if duration_ms is not None:
                key = (hour, run.job_id, "duration", bucket_of(duration_ms))
                _add(cells[key], 1, duration_ms)
            if lag_ms is not None:
                lag_ms = max(lag_ms, 0.0)
                _add(cells[hour, ALL_JOBS, "lag", bucket_of(lag_ms)], 1, lag_ms)
    bulk.add_to(
        RunTally,
        [
            {"job": job, "hour": hour, "state": state, "total": int(total), "sum_ms": sum_ms}
            for (hour, job, state), (total, sum_ms) in tallies.items()
        ],
        keys=("hour", "job", "state"),
        sums=("total", "sum_ms"),
    )
    bulk.add_to(
        DurationTally,
        [
            {
                "job": job,
                "hour": hour,
                "kind": kind,
                "bucket": bucket,
                "total": total,
                "sum_ms": sum_ms,
            }
            for (hour, job, kind, bucket), (total, sum_ms) in cells.items()
        ],
        keys=("kind", "hour", "job", "bucket"),
        sums=("total", "sum_ms"),
    )


class _HourTexts(dict[datetime, str]):
    """Hours as rows have them."""

    def __missing__(self, hour: datetime) -> str:
        self[hour] = text = bulk.text_of(hour)
        return text


def _nothing() -> Counts:
    return defaultdict(lambda: [0, 0.0])


def note_last(runs: Sequence[EndedRun]) -> None:
    """Keep what each job did last, since when and how often in a row it fails, and the slots that it missed.

    SKIPPED, CANCELLED and MISSED are not something that a job did: a job that failed before is failing still.
    """
    latest: dict[str, dict[str, Any]] = {}
    for run in runs:
        if run.state not in NOTHING_DONE:
            latest[run.job_id] = _last(run, latest.get(run.job_id, NEVER_RAN))
    bulk.put(
        LastRun,
        list(latest.values()),
        key="job_id",
        values=("run", "state", "finished_at", "duration_ms", *RunUsage._fields, "error"),
        kept=("succeeded_at", "failed_at"),
        streak=bulk.Streak(
            since="failing_since", count="failures_in_row", broken_by="succeeded_at"
        ),
    )
    _note_missed(runs)


def _last(run: EndedRun, before: Mapping[str, Any]) -> dict[str, Any]:
    last = {
        **before,
        "job_id": run.job_id,
        "run": run.pk,
        "state": run.state,
        "finished_at": run.finished_at,
        "duration_ms": run.duration_ms,
        **run.usage._asdict(),
        "error": cut_line(run.error, 500) if run.error else "",
    }
    if run.state == RunState.SUCCESS:
        last |= {"succeeded_at": run.finished_at, "failing_since": None, "failures_in_row": 0}
    if run.state in FAILED_STATES:
        last["failed_at"] = run.finished_at
        last["failing_since"] = before["failing_since"] or run.finished_at
        last["failures_in_row"] = before["failures_in_row"] + 1
    return last


def _note_missed(runs: Sequence[EndedRun]) -> None:
    """Add the slots missed here to those that the job missed since its last run. Two more queries, in a rare case."""
    ids = {run.job_id for run in runs if run.state == RunState.MISSED}
    if not ids:
        return
    last = bulk.by_pk(LastRun, ids)
    latest = {
        miss.job_id: _miss(miss.run, miss.since, miss.missed_at, miss.slots)
        for miss in bulk.by_pk(LastMiss, ids).values()
        if miss.job_id not in last or miss.missed_at > last[miss.job_id].finished_at
    }
    for run in runs:
        if run.state == RunState.MISSED:
            before = latest.get(run.job_id, {"since": run.ready_at, "slots": 0})
            slots = before["slots"] + run.slot_count
            latest[run.job_id] = _miss(run.pk, before["since"], run.finished_at, slots)
        elif run.state not in NOTHING_DONE:
            latest.pop(run.job_id, None)
    rows = [{"job_id": job_id, **miss} for job_id, miss in latest.items() if job_id in ids]
    bulk.put(LastMiss, rows, key="job_id", values=("run", "since", "missed_at", "slots"))


def _miss(run: int, since: datetime, missed_at: datetime, slots: int) -> dict[str, Any]:
    return {"run": run, "since": since, "missed_at": missed_at, "slots": slots}


def _add(cell: list[float], count: float, value_ms: float) -> None:
    cell[0] += count
    cell[1] += value_ms
