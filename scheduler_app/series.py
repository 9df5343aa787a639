"""The scheduler's series for Prometheus. Every job has every series from its first scrape, at 0 if need be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max

from scheduler_app import nodes
from scheduler_app.exposition import Distribution, Sample, counter, gauge, histogram
from scheduler_app.models import DurationTally, LastRun, Node, RunTally, ScheduledJob, Timetable
from scheduler_app.models.tallies import ALL_JOBS, ALL_TIME
from scheduler_app.selectors import JobFigures, running_by_job
from scheduler_app.states import NodeKind, RunState
from scheduler_app.verdict import verdict

MIB = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class _Job:
    """What is exported of one job."""

    id: str
    enabled: bool
    figures: JobFigures = field(default_factory=JobFigures)
    last: LastRun | None = None
    next_run_at: datetime | None = None
    running: int = 0


def lines(now: datetime) -> Iterator[str]:
    """In a fixed number of queries over rollups: the same cost at any length of history."""
    jobs = _jobs()
    yield from _counts(jobs)
    yield from _times(jobs)
    yield from _distributions(jobs)
    yield from _nodes(now)
    yield from gauge(
        "scheduler_problems",
        "What is wrong now, by kind, as the overview has it.",
        [({"kind": kind}, count) for kind, count in verdict(now).counts.items()],
    )


def _jobs() -> list[_Job]:
    """All jobs with their totals; unlike `selectors.job_lines` it reads no hours, as Prometheus keeps its own."""
    rows = ScheduledJob.objects.order_by("pk").values_list("pk", "enabled")
    figures = _totals()
    last = {row.job_id: row for row in LastRun.objects.all()}
    due = dict(Timetable.objects.values_list("pk", "next_run_time"))
    running = running_by_job()
    return [
        _Job(
            id=pk,
            enabled=enabled,
            figures=figures[pk],
            last=last.get(pk),
            next_run_at=due.get(pk),
            running=running[pk],
        )
        for pk, enabled in rows
    ]


def _totals() -> dict[str, JobFigures]:
    found: dict[str, JobFigures] = defaultdict(JobFigures)
    tallies = RunTally.objects.filter(hour=ALL_TIME)
    for job, state, total in tallies.values_list("job", "state", "total"):
        found[job].totals[state] = total
    cells = DurationTally.objects.filter(hour=ALL_TIME, kind="duration")
    for job, bucket, total, sum_ms in cells.values_list("job", "bucket", "total", "sum_ms"):
        found[job].add(bucket, total, sum_ms)
    return found


def _counts(jobs: Iterable[_Job]) -> Iterator[str]:
    yield from counter(
        "scheduler_job_success_total",
        "Runs that succeeded.",
        _each(jobs, lambda job: job.figures.succeeded),
    )
    yield from counter(
        "scheduler_job_failed_total",
        "Runs that failed, timed out or were lost; each try counts.",
        _each(jobs, lambda job: job.figures.failed),
    )
    yield from counter(
        "scheduler_job_missed_total",
        "Slots that nobody was there to start in time.",
        _each(jobs, lambda job: job.figures.totals[RunState.MISSED]),
    )
    yield from counter(
        "scheduler_job_skipped_total",
        "Slots that were left out on purpose.",
        _each(jobs, lambda job: job.figures.totals[RunState.SKIPPED]),
    )
    yield from gauge(
        "scheduler_job_running", "Runs at work now.", _each(jobs, lambda job: job.running)
    )
    yield from gauge(
        "scheduler_job_enabled", "1 while enabled.", _each(jobs, lambda job: int(job.enabled))
    )


def _times(jobs: Iterable[_Job]) -> Iterator[str]:
    yield from gauge(
        "scheduler_job_last_run_timestamp",
        "When the last run ended, in seconds since the epoch; 0: never.",
        _each(jobs, lambda job: _seconds(job.last.finished_at if job.last else None)),
    )
    yield from gauge(
        "scheduler_job_last_success_timestamp",
        "When a run last succeeded, in seconds since the epoch; 0: never.",
        _each(jobs, lambda job: _seconds(job.last.succeeded_at if job.last else None)),
    )
    yield from gauge(
        "scheduler_job_next_run_timestamp",
        "The next slot, in seconds since the epoch; 0: none.",
        _each(jobs, lambda job: _seconds(job.next_run_at)),
    )
    yield from gauge(
        "scheduler_job_last_duration_ms",
        "How long the last run took, in milliseconds.",
        _each(jobs, lambda job: (job.last.duration_ms if job.last else None) or 0.0),
    )
    yield from gauge(
        "scheduler_job_last_cpu_seconds",
        "Processor time of the last run, in seconds; 0: not measured.",
        _each(jobs, lambda job: (job.last.cpu_s if job.last else None) or 0.0),
    )
    yield from gauge(
        "scheduler_job_last_peak_memory_bytes",
        "The largest resident set of the last run's process, in bytes; 0: not measured.",
        _each(jobs, lambda job: ((job.last.peak_memory_mb if job.last else None) or 0.0) * MIB),
    )
    yield from gauge(
        "scheduler_job_last_queries",
        "How many statements the last run sent to its databases.",
        _each(jobs, lambda job: (job.last.queries if job.last else None) or 0),
    )


def _distributions(jobs: Iterable[_Job]) -> Iterator[str]:
    durations: Iterable[Distribution] = (
        ({"job_id": job.id}, job.figures.durations, job.figures.duration_sum_ms) for job in jobs
    )
    yield from histogram(
        "scheduler_job_duration_ms", "How long runs took, in milliseconds.", durations
    )
    yield from histogram(
        "scheduler_job_start_lag_ms",
        "From the moment at which a run of any job should have started until it did, in milliseconds.",
        [_lag()],
    )


def _lag() -> Distribution:
    cells = DurationTally.objects.filter(hour=ALL_TIME, job=ALL_JOBS, kind="lag")
    rows = list(cells.values_list("bucket", "total", "sum_ms"))
    return {}, {bucket: total for bucket, total, _ in rows}, sum(sum_ms for *_, sum_ms in rows)


def _nodes(now: datetime) -> Iterator[str]:
    schedulers = nodes.living(NodeKind.SCHEDULER, now)
    yield from gauge("scheduler_nodes", "Schedulers that are alive.", [({}, len(schedulers))])
    ticked = Node.objects.filter(kind=NodeKind.SCHEDULER).aggregate(last=Max("tick_at"))["last"]
    yield from gauge(
        "scheduler_last_tick_timestamp",
        "When a scheduler last looked for due jobs, in seconds since the epoch; 0: never.",
        [({}, _seconds(ticked))],
    )
    pools = {"scheduler": schedulers, "celery": nodes.living(NodeKind.CELERY, now)}
    yield from gauge(
        "scheduler_threads",
        "How many runs the living processes can have at once.",
        [({"kind": kind}, sum(one.slots_total for one in pool)) for kind, pool in pools.items()],
    )
    yield from gauge(
        "scheduler_threads_busy",
        "How many of these are at work.",
        [({"kind": kind}, sum(map(_busy, pool))) for kind, pool in pools.items()],
    )
    yield from gauge(
        "scheduler_threads_died",
        "Threads of the living processes that ended by themselves and were replaced.",
        [({"kind": kind}, sum(one.threads_died for one in pool)) for kind, pool in pools.items()],
    )


def _busy(node: Node) -> int:
    """Without what it took ahead of free threads."""
    return min(node.slots_busy, node.slots_total)


def _each(jobs: Iterable[_Job], value: Callable[[_Job], float]) -> Iterator[Sample]:
    return (({"job_id": job.id}, value(job)) for job in jobs)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
