"""Figures kept beside the rows, in the transaction that changes the rows (promise P6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from scheduler_app import bulk
from scheduler_app.assignments import EndedRun
from scheduler_app.histogram import bucket_of
from scheduler_app.models import DurationTally, LastRun, RunTally
from scheduler_app.models.tallies import ALL_JOBS, ALL_TIME
from scheduler_app.states import FAILED_STATES, RunState
from scheduler_app.texts import cut_line

NOTHING_DONE = (RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED)

Counts = dict[tuple[Any, ...], list[float]]


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def count_runs(runs: Sequence[EndedRun]) -> None:
    """Book runs that have just become final. Call once for each run, in its transaction, at the end of it."""
    tallies: Counts = defaultdict(lambda: [0, 0.0])
    cells: Counts = defaultdict(lambda: [0, 0.0])
    for run in runs:
        lag_ms = run.lag_ms
        for hour in (ALL_TIME, hour_of(run.finished_at)):
            _add(tallies[run.job_id, hour, run.state], run.slot_count, run.duration_ms or 0.0)
            if run.duration_ms is not None:
                key = (run.job_id, hour, "duration", bucket_of(run.duration_ms))
                _add(cells[key], 1, run.duration_ms)
            if lag_ms is not None:
                key = (ALL_JOBS, hour, "lag", bucket_of(max(lag_ms, 0.0)))
                _add(cells[key], 1, max(lag_ms, 0.0))
    bulk.add_to(
        RunTally,
        _rows(tallies, ("job", "hour", "state")),
        keys=("hour", "job", "state"),
        sums=("total", "sum_ms"),
    )
    bulk.add_to(
        DurationTally,
        _rows(cells, ("job", "hour", "kind", "bucket")),
        keys=("kind", "hour", "job", "bucket"),
        sums=("total", "sum_ms"),
    )


def note_last(runs: Iterable[EndedRun]) -> None:
    """Keep what each job did last. SKIPPED and MISSED are not something that a job did."""
    latest: dict[str, dict[str, Any]] = {}
    for run in runs:
        if run.state not in NOTHING_DONE:
            before = latest.get(run.job_id, {"succeeded_at": None, "failed_at": None})
            latest[run.job_id] = {**before, **_last(run)}
    bulk.put(
        LastRun,
        list(latest.values()),
        key="job_id",
        values=("run", "state", "finished_at", "duration_ms", "error"),
        kept=("succeeded_at", "failed_at"),
    )


def _last(run: EndedRun) -> dict[str, Any]:
    last = {
        "job_id": run.job_id,
        "run": run.pk,
        "state": run.state,
        "finished_at": run.finished_at,
        "duration_ms": run.duration_ms,
        "error": cut_line(run.error, 500),
    }
    if run.state == RunState.SUCCESS:
        last["succeeded_at"] = run.finished_at
    if run.state in FAILED_STATES:
        last["failed_at"] = run.finished_at
    return last


def _add(cell: list[float], count: int, value_ms: float) -> None:
    cell[0] += count
    cell[1] += value_ms


def _rows(counts: Counts, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {**dict(zip(names, key, strict=True)), "total": int(count), "sum_ms": sum_ms}
        for key, (count, sum_ms) in counts.items()
    ]
