"""From a due slot to a run that a node may start.

Two verbs change the world: `claim` turns due slots into QUEUED runs and moves the cursors, in one transaction; `take`
turns QUEUED runs into RUNNING ones of a node, in one transaction that is committed before any body is called.
No leader: any number of processes may do either at any time.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from scheduler_app import bulk, catchup, conf, epochs, ledger
from scheduler_app.clock import db_now
from scheduler_app.errors import NodeGoneError
from scheduler_app.models import JobGate, JobRun, Node, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import NodeState, Overlap, Reason, RunState, RunTrigger
from scheduler_app.transactions import brief

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one claim found: how many slots were queued, and whether more may be due."""

    queued: int
    more: bool


def is_due(now: datetime) -> bool:
    """A look without a lock, so that an idle tick begins no transaction."""
    return Timetable.objects.filter(next_run_time__lte=now).exists()


def next_due() -> datetime | None:
    first = Timetable.objects.filter(next_run_time__isnull=False).order_by("next_run_time").first()
    return first.next_run_time if first else None


def claim(limit: int | None = None) -> Claimed:
    """Queue what is due by the database's clock, at most `limit` jobs."""
    now = db_now()
    if not is_due(now):
        return Claimed(0, more=False)
    limit = limit or conf.get().CLAIM_BATCH
    with brief():
        due = Timetable.objects.filter(next_run_time__lte=now).order_by("next_run_time", "job_id")
        rows = list(locked(due)[:limit])
        queued = settle(rows, now)
    return Claimed(queued, more=len(rows) == limit)


def locked(query: Any) -> Any:
    """`query` FOR UPDATE, passing over rows that others hold where the database can."""
    skip = connection.features.has_select_for_update_skip_locked
    return query.select_for_update(skip_locked=skip)


def settle(rows: Sequence[Timetable], now: datetime) -> int:
    """Give every slot of `rows` (locked) up to `now` its row in the ledger; returns how many are queued."""
    job_ids = [row.job_id for row in rows]
    jobs = ScheduledJob.objects.in_bulk(job_ids)
    spans = ScheduleEpoch.objects.in_bulk([row.epoch for row in rows])
    queued: list[JobRun] = []
    final: list[JobRun] = []
    cursors = []
    for row in rows:
        cursor = row.next_run_time
        if cursor is None or cursor > now:
            continue
        try:
            plan = plan_of(jobs[row.job_id], spans[row.epoch], cursor, now)
        except Exception as error:  # noqa: BLE001 - one job's schedule may stop nobody else's
            final.append(_broken(row, cursor, now, error))
            continue
        queued += [_queued(jobs[row.job_id], row.epoch, slot, now) for slot in plan.run]
        final += [_passed(row, part, now) for part in plan.passed]
        cursors.append({"job_id": row.job_id, "next_run_time": plan.following})
    JobRun.objects.bulk_create(queued, ignore_conflicts=True)
    ledger.insert_final(final)
    bulk.update_each(Timetable, cursors, match=("job_id",), values=("next_run_time",))
    return len(queued)


def plan_of(
    job: ScheduledJob, span: ScheduleEpoch, cursor: datetime, now: datetime
) -> catchup.Plan:
    """What becomes of the slots of `span` from `cursor` (which is due) up to `now`."""
    policy = catchup.Policy(
        on_missed=job.on_missed, grace_s=job.grace_s, max_catch_up=job.max_catch_up
    )
    schedule = epochs.schedule_of(span.definition, span.opened_at)
    return catchup.plan(schedule, cursor, now, policy)


def _queued(job: ScheduledJob, epoch: int, slot: datetime, now: datetime) -> JobRun:
    return JobRun(
        job_id=job.pk,
        epoch=epoch,
        trigger=RunTrigger.SCHEDULE,
        slot=slot,
        state=RunState.QUEUED,
        queue=job.queue,
        ready_at=slot,
        queued_at=now,
    )


def _passed(row: Timetable, part: catchup.Passed, now: datetime) -> JobRun:
    return JobRun(
        job_id=row.job_id,
        epoch=row.epoch,
        trigger=RunTrigger.SCHEDULE,
        slot=part.first,
        slot_last=part.last,
        slot_count=part.count,
        state=part.state,
        reason=part.reason,
        ready_at=part.first,
        queued_at=now,
        finished_at=now,
        error=f"{part.count} slot(s) from {part.first:%Y-%m-%d %H:%M:%S} to "
        f"{part.last:%Y-%m-%d %H:%M:%S} UTC were found too late and did not run.",
    )


def _broken(row: Timetable, cursor: datetime, now: datetime, error: Exception) -> JobRun:
    logger.exception("job_broken", extra={"job_id": row.job_id})
    text = f"The schedule cannot be computed: {type(error).__name__}: {error}"
    epoch = row.epoch
    epochs.break_off(row.job_id, row, now, text)
    return JobRun(
        job_id=row.job_id,
        epoch=epoch,
        trigger=RunTrigger.SCHEDULE,
        slot=cursor,
        state=RunState.FAILED,
        reason=Reason.BROKEN,
        ready_at=cursor,
        queued_at=now,
        finished_at=now,
        error=text,
    )


def request_run(
    job: ScheduledJob, *, params: dict[str, Any] | None = None, requested_by: str = ""
) -> JobRun:
    """Queue a run outside the schedule; a node takes it within a second.

    `params` replace the job's named arguments of the same names. The caller has checked them against the callable.
    """
    now = db_now()
    return JobRun.objects.create(
        job_id=job.pk,
        trigger=RunTrigger.MANUAL,
        state=RunState.QUEUED,
        queue=job.queue,
        params=params,
        requested_by=requested_by[:150],
        ready_at=now,
        queued_at=now,
    )


def take(node: int, token: str, free: int) -> list[JobRun]:
    """Start at most `free` queued runs on `node`: RUNNING is committed when this returns.

    Runs that may not overlap a running one end as SKIPPED. Raises NodeGoneError when the node was declared dead.
    """
    now = db_now()
    waiting = JobRun.objects.queued().filter(ready_at__lte=now).order_by("ready_at", "id")
    if not waiting.exists():
        return []
    with brief():
        if not _is_alive(node):
            raise NodeGoneError(f"node {node} was declared dead")
        runs = list(locked(waiting)[:free])
        jobs = ScheduledJob.objects.in_bulk({run.job_id for run in runs})
        starting, stopped = _admit(runs, jobs)
        ids = sorted(run.pk for run in starting)
        now = db_now()
        JobRun.objects.filter(pk__in=ids).update(
            state=RunState.RUNNING, node=node, token=token, started_at=now
        )
        ledger.end_unstarted(stopped, now)
    return taken(token) if starting else []


def taken(token: str) -> list[JobRun]:
    """The runs that were taken under `token`: what a commit did whose answer was lost."""
    return list(JobRun.objects.running().filter(token=token).order_by("ready_at", "id"))


def _is_alive(node: int) -> bool:
    row = Node.objects.select_for_update().filter(pk=node).values_list("state", flat=True).first()
    return row == NodeState.ALIVE


def _admit(
    runs: Iterable[JobRun], jobs: dict[str, ScheduledJob]
) -> tuple[list[JobRun], list[tuple[JobRun, Reason]]]:
    """Which of `runs` may start now, and why the others may not."""
    running = _running_now(
        sorted(pk for pk, job in jobs.items() if job.overlap != Overlap.PARALLEL)
    )
    starting, stopped = [], []
    for run in runs:
        job = jobs.get(run.job_id)
        if job is None or (run.trigger == RunTrigger.SCHEDULE and not epochs.is_on(job)):
            stopped.append((run, Reason.DISABLED))
        elif job.overlap != Overlap.PARALLEL and running[job.pk] >= job.max_instances:
            stopped.append((run, Reason.OVERLAP))
        else:
            running[job.pk] += 1
            starting.append(run)
    return starting, stopped


def _running_now(job_ids: Sequence[str]) -> Counter[str]:
    """Running instances by job, counted behind the jobs' gates, so that two nodes cannot both start one."""
    list(JobGate.objects.select_for_update().filter(pk__in=job_ids).order_by("pk"))
    running = JobRun.objects.running().filter(job_id__in=job_ids)
    return Counter(running.values_list("job_id", flat=True))
