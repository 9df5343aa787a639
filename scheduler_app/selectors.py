"""What pages, API and commands read: bounded queries, the same cost at any length of history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum

from scheduler_app import calendar_days, upcoming
from scheduler_app.histogram import percentile
from scheduler_app.models import DurationTally, JobRun, LastRun, RunTally, ScheduledJob, Timetable
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.rollups import hour_of
from scheduler_app.states import FAILED_STATES, RunState

WINDOW = timedelta(hours=24)
Cells = dict[int, int]


@dataclass(slots=True, kw_only=True)
class JobFigures:
    """The counts of one job: since the first run, and in the last 24 hours (whole hours)."""

    totals: Counter[str] = field(default_factory=Counter)
    recent: Counter[str] = field(default_factory=Counter)
    by_hour: dict[datetime, Counter[str]] = field(default_factory=dict)
    durations: Cells = field(default_factory=dict)
    """Histogram of the durations since the first run; `duration_sum_ms` is their sum."""
    duration_sum_ms: float = 0.0
    recent_durations: Cells = field(default_factory=dict)

    def add(self, bucket: int, total: int, sum_ms: float) -> None:
        """Take in a cell of the histogram of all time."""
        self.durations[bucket] = total
        self.duration_sum_ms += sum_ms

    @property
    def succeeded(self) -> int:
        return self.totals[RunState.SUCCESS]

    @property
    def failed(self) -> int:
        return sum(self.totals[state] for state in FAILED_STATES)

    @property
    def recent_failed(self) -> int:
        return sum(self.recent[state] for state in FAILED_STATES)

    def percentile_ms(self, share: float) -> float | None:
        """Of the last 24 hours; of all runs where there was none in these."""
        return percentile(self.recent_durations or self.durations, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """One job as tables show it."""

    job: ScheduledJob
    next_run_at: datetime | None
    last: LastRun | None
    running: int
    figures: JobFigures


def window_begin(now: datetime) -> datetime:
    """The hour in which the last 24 hours begin."""
    return hour_of(now - WINDOW) + timedelta(hours=1)


def figures(now: datetime, job_ids: Iterable[str] | None = None) -> Mapping[str, JobFigures]:
    """The figures of `job_ids` (all by default); a job without runs has empty ones."""
    found: dict[str, JobFigures] = defaultdict(JobFigures)
    hours = {"hour__gte": window_begin(now)}
    jobs = {} if job_ids is None else {"job__in": list(job_ids)}
    runs = RunTally.objects.filter(**jobs).values_list("job", "hour", "state", "total")
    for job_id, _, state, total in runs.filter(hour=ALL_TIME):
        found[job_id].totals[state] += total
    for job_id, hour, state, total in runs.filter(**hours):
        found[job_id].recent[state] += total
        found[job_id].by_hour.setdefault(hour, Counter())[state] += total
    cells = DurationTally.objects.filter(kind="duration", **jobs)
    totals = cells.filter(hour=ALL_TIME).values_list("job", "bucket", "total", "sum_ms")
    for job_id, bucket, total, sum_ms in totals:
        found[job_id].add(bucket, total, sum_ms)
    lately = cells.filter(**hours).values_list("job", "bucket")
    for job_id, bucket, total in lately.annotate(Sum("total")).order_by():
        found[job_id].recent_durations[bucket] = total
    return found


def job_lines(now: datetime, jobs: QuerySet[ScheduledJob] | None = None) -> list[JobLine]:
    """`jobs` (all by default) with what they did last and do next, in a fixed number of queries."""
    rows = list(ScheduledJob.objects.order_by("id") if jobs is None else jobs)
    ids = [job.pk for job in rows]
    counted = figures(now, ids)
    last = LastRun.objects.in_bulk(ids)
    due = dict(Timetable.objects.filter(pk__in=ids).values_list("pk", "next_run_time"))
    days = calendar_days.entered_for(job.calendar for job in rows)
    runs_at = upcoming.next_runs(rows, due, days)
    running = running_by_job()
    return [
        JobLine(
            job=job,
            next_run_at=runs_at.get(job.pk),
            last=last.get(job.pk),
            running=running[job.pk],
            figures=counted.get(job.pk) or JobFigures(),
        )
        for job in rows
    ]


def running_by_job() -> Counter[str]:
    return Counter(JobRun.objects.running().order_by().values_list("job_id", flat=True))


def latest_failures(runs: RunQuerySet, limit: int = 5) -> list[JobRun]:
    """Those of `runs` that failed (or were missed) last, the newest first. The literal states are the index's."""
    failed = runs.filter(state__in=["FAILED", "TIMEOUT", "LOST", "MISSED"])
    return list(
        failed.light().select_related("job__last_run").order_by("-finished_at", "-pk")[:limit]
    )


def recent_runs(job_id: str, runs: RunQuerySet, limit: int = 20) -> list[JobRun]:
    return list(runs.filter(job_id=job_id).light().order_by("-pk")[:limit])


def run_facts(run: JobRun) -> dict[str, Any]:
    """One run as plain values."""
    return {
        "run_id": run.pk,
        "job_id": run.job_id,
        "state": str(run.state),
        "reason": str(run.reason),
        "trigger": str(run.trigger),
        "attempt": run.attempt,
        "slot": run.slot,
        "slot_count": run.slot_count,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "lag_ms": run.lag_ms,
        "duration_ms": run.duration_ms,
        "cpu_s": run.cpu_s,
        "peak_memory_mb": run.peak_memory_mb,
        "queries": run.queries,
        "requested_by": run.requested_by,
        "progress": run.progress,
        "progress_text": run.progress_text,
        "result": run.result,
        "error": run.error,
        "log": run.log,
    }
