"""When jobs failed in the last 24 hours: jobs by hours, and the counts of all runs beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from scheduler_app.models import RunTally
from scheduler_app.rollups import hour_of
from scheduler_app.selectors import window_begin
from scheduler_app.states import FAILED_STATES, RunState

HOUR = timedelta(hours=1)
LEVELS = (1, 2, 3, 5, 10)
"""The least failures of the levels 1 to 5."""
MOST_JOBS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    hour: datetime
    failures: int
    level: int
    is_marked: bool
    """At or above the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    job_id: str
    cells: list[Cell]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """The jobs that failed most come first; `left_out` of them do not fit."""

    hours: list[datetime]
    rows: list[Row]
    sums: list[Cell]
    """Failures of all jobs in each hour."""
    total: int
    left_out: int
    threshold: int
    succeeded: Counter[datetime]
    failed: Counter[datetime]


def heat_map(now: datetime, threshold: int, named: Container[str] | None = None) -> HeatMap:
    """From the hourly counts: one query, however many runs there were. Rows are of `named` jobs (default: all)."""
    begin = window_begin(now)
    hours = [begin + number * HOUR for number in range(24)]
    assert hours[-1] == hour_of(now)
    states = (*FAILED_STATES, RunState.SUCCESS)
    counted = RunTally.objects.filter(hour__gte=begin, state__in=states)
    by_job: dict[str, Counter[datetime]] = {}
    failed: Counter[datetime] = Counter()
    succeeded: Counter[datetime] = Counter()
    for job, hour, state, total in counted.values_list("job", "hour", "state").annotate(
        Sum("total")
    ):
        if state == RunState.SUCCESS:
            succeeded[hour] += total
        else:
            failed[hour] += total
            by_job.setdefault(job, Counter())[hour] += total
    shown = [job for job in by_job if named is None or job in named]
    ranked = sorted(shown, key=lambda job: (-by_job[job].total(), job))
    return HeatMap(
        hours=hours,
        rows=[
            Row(
                job_id=job,
                cells=[_cell(hour, by_job[job][hour], threshold) for hour in hours],
                total=by_job[job].total(),
            )
            for job in ranked[:MOST_JOBS]
        ],
        sums=[_cell(hour, failed[hour], 0) for hour in hours],
        total=failed.total(),
        left_out=max(len(ranked) - MOST_JOBS, 0),
        threshold=threshold,
        succeeded=succeeded,
        failed=failed,
    )


def _cell(hour: datetime, failures: int, threshold: int) -> Cell:
    level = sum(failures >= least for least in LEVELS)
    marked = bool(threshold) and failures >= threshold
    return Cell(hour=hour, failures=failures, level=level, is_marked=marked)
