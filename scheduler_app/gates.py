"""Whether a queued run may start beside what already runs of its job, across all nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from scheduler_app import ledger
from scheduler_app.models import JobGate, JobRun
from scheduler_app.states import JobState, Overlap, Reason, RunState, RunTrigger


class Run(Protocol):
    """What is asked of a run that would start."""

    @property
    def id(self) -> int: ...
    @property
    def job_id(self) -> str: ...
    @property
    def trigger(self) -> str: ...


class Job(Protocol):
    """What is asked of its job."""

    @property
    def id(self) -> str: ...
    @property
    def overlap(self) -> str: ...
    @property
    def max_instances(self) -> int: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def state(self) -> str: ...


R = TypeVar("R", bound=Run)


def admit(runs: Sequence[R], jobs: Mapping[str, Job], now: datetime) -> list[R]:
    """Those of `runs` (queued, locked by the caller) that start now; the others are held or ended.

    A slot that finds its job at work is skipped; with `queue_one` one of them waits; with `replace` the newest waits
    and the running ones are asked to stop. Retries always wait: what they are to make good is still open.
    """
    running = _running({job.id for job in jobs.values() if job.overlap != Overlap.PARALLEL})
    starting: list[R] = []
    stopped: defaultdict[Reason, list[int]] = defaultdict(list)
    busy: list[R] = []
    for run in runs:
        job = jobs.get(run.job_id)
        if job is None or not _is_wanted(run, job):
            stopped[Reason.DISABLED].append(run.id)
        elif job.overlap != Overlap.PARALLEL and running[job.id] >= job.max_instances:
            busy.append(run)
        else:
            running[job.id] += 1
            starting.append(run)
    if busy:
        _line_up(busy, jobs, stopped, now)
    for reason, ids in stopped.items():
        _skip(ids, reason, now)
    return starting


def _is_wanted(run: Run, job: Job) -> bool:
    """Whoever asks for a run by hand gets it from a disabled job, too."""
    return run.trigger == RunTrigger.MANUAL or (job.enabled and job.state == JobState.ACTIVE)


def _running(job_ids: Collection[str]) -> Counter[str]:
    """Running instances by job, counted behind the jobs' gates, so that two nodes cannot both start one."""
    if not job_ids:
        return Counter()
    gates = JobGate.objects.filter(pk__among=job_ids).order_by("pk")
    list(gates.select_for_update().values_list("pk"))
    running = JobRun.objects.running().filter(job_id__among=job_ids)
    return Counter(running.values_list("job_id", flat=True))


def _line_up(
    busy: Sequence[Run], jobs: Mapping[str, Job], stopped: dict[Reason, list[int]], now: datetime
) -> None:
    """Hold what waits for its job, and add to `stopped` what does not."""
    job_ids = {run.job_id for run in busy}
    ahead = defaultdict(list)
    held = JobRun.objects.queued().filter(held=True, job_id__in=job_ids)
    for pk, job_id in held.exclude(trigger=RunTrigger.RETRY).values_list("pk", "job_id"):
        ahead[job_id].append(pk)
    hold, replaced = [], set()
    for run in busy:
        overlap = jobs[run.job_id].overlap
        if run.trigger == RunTrigger.RETRY:
            hold.append(run.id)
        elif overlap == Overlap.REPLACE:
            stopped[Reason.REPLACED] += ahead[run.job_id]
            ahead[run.job_id] = [run.id]
            replaced.add(run.job_id)
        elif overlap == Overlap.QUEUE_ONE and not ahead[run.job_id]:
            ahead[run.job_id] = [run.id]
        else:
            stopped[Reason.OVERLAP].append(run.id)
    kept = [*hold, *(pk for waiting in ahead.values() for pk in waiting)]
    JobRun.objects.queued().filter(pk__in=kept).update(held=True)
    _ask_to_stop(replaced, now)


def _ask_to_stop(job_ids: Collection[str], now: datetime) -> None:
    if job_ids:
        running = JobRun.objects.running().filter(job_id__in=job_ids, cancel_at=None)
        running.update(cancel_at=now, reason=Reason.REPLACED)


def _skip(ids: Collection[int], reason: Reason, now: datetime) -> None:
    runs = JobRun.objects.queued().filter(pk__in=ids).select_for_update().order_by("pk")
    ledger.end_unstarted(list(runs), RunState.SKIPPED, reason, now)
