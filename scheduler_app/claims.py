"""From a due slot to a run that a node may start.

Two verbs change the world: `claim` turns due slots into QUEUED runs and moves the cursors, in one transaction; `take`
turns QUEUED runs into RUNNING ones of a node, in one transaction that is committed before any body is called.
No leader: any number of processes may do either at any time.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import TextField
from django.db.models.functions import Cast

from scheduler_app import bulk, calendar_days, catchup, conf, epochs, gates, jitter, ledger, skips
from scheduler_app.assignments import Assignment
from scheduler_app.calendars import Days
from scheduler_app.clock import db_now
from scheduler_app.errors import NodeGoneError
from scheduler_app.models import JobRun, Node, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.states import NodeState, Reason, RunState, RunTrigger
from scheduler_app.transactions import brief, locked

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one claim found: how many slots were queued, and whether more may be due."""

    queued: int
    more: bool


SLOT_KEY = ("job_id", "slot", "attempt")


def is_due(now: datetime) -> bool:
    """A look without a lock, so that an idle tick begins no transaction."""
    due = next_due()
    return due is not None and due <= now


def next_due() -> datetime | None:
    rows = Timetable.objects.filter(next_run_time__isnull=False).order_by("next_run_time")
    return rows.values_list("next_run_time", flat=True).first()


class Cursor(NamedTuple):
    """A row of the timetable: a job, its next slot, and the epoch to which the slot belongs."""

    job_id: str
    next_run_time: datetime | None
    epoch: int


def claim(limit: int | None = None) -> Claimed:
    """Queue what is due by the database's clock, at most `limit` jobs."""
    now = db_now()
    if not is_due(now):
        return Claimed(0, more=False)
    limit = limit or conf.get().CLAIM_BATCH
    with brief():
        due = Timetable.objects.filter(next_run_time__lte=now).order_by("next_run_time", "job_id")
        rows = [Cursor(*row) for row in locked(due).values_list(*Cursor._fields)[:limit]]
        queued = settle(rows, now)
    return Claimed(queued, more=len(rows) == limit)


class _Policy(NamedTuple):
    """What a claim needs to know of a job."""

    id: str
    queue: str
    jitter_s: float
    on_missed: str
    grace_s: float | None
    max_catch_up: int

    @property
    def catch_up(self) -> catchup.Policy:
        return catchup.Policy(
            on_missed=self.on_missed, grace_s=self.grace_s, max_catch_up=self.max_catch_up
        )


def settle(rows: Sequence[Cursor], now: datetime) -> int:
    """Give every slot of `rows` (locked) up to `now` its row in the ledger; returns how many are queued."""
    due = [row for row in rows if row.next_run_time and row.next_run_time <= now]
    jobs = ScheduledJob.objects.filter(pk__among={row.job_id for row in due})
    policies = {row[0]: _Policy(*row) for row in jobs.values_list(*_Policy._fields)}
    epochs_due = ScheduleEpoch.objects.filter(pk__among={row.epoch for row in due})
    columns = ("pk", Cast("definition", TextField()), "opened_at")
    spans = {
        pk: (definition_from(text), begin) for pk, text, begin in epochs_due.values_list(*columns)
    }
    days = calendar_days.entered_for(epochs.calendar_of(wanted) for wanted, _ in spans.values())
    queued: list[dict[str, Any]] = []
    final: list[JobRun] = []
    rested: list[JobRun] = []
    cursors = []
    for row in due:
        assert row.next_run_time is not None
        policy = policies[row.job_id]
        try:
            plan = plan_of(policy.catch_up, *spans[row.epoch], days, row.next_run_time, now)
        except Exception as error:  # noqa: BLE001 - one job's schedule may stop nobody else's
            final.append(_broken(row, now, error))
            continue
        queued += [_queued(policy, row.epoch, slot, now) for slot in plan.run]
        for part in plan.passed:
            (rested if part.state == RunState.SKIPPED else final).append(_passed(row, part, now))
        cursors.append({"job_id": row.job_id, "next_run_time": plan.following})
    if rested:
        skips.insert(rested, {row.epoch: row.next_run_time for row in due})
    bulk.insert(JobRun, queued, keys=SLOT_KEY, adopt="epoch")
    ledger.insert_final(final)
    bulk.update_each(Timetable, cursors, match=("job_id",), values=("next_run_time",))
    return len(queued)


definition_from = lru_cache(maxsize=4096)(json.loads)
"""Many epochs have one definition; nobody may change what this returns."""


def plan_of(
    policy: catchup.Policy,
    definition: dict[str, Any],
    opened_at: datetime,
    days: Days,
    cursor: datetime,
    now: datetime,
) -> catchup.Plan:
    """What becomes of the slots of an epoch from `cursor` (which is due) up to `now`."""
    return catchup.plan(
        epochs.schedule_of(definition, opened_at),
        cursor,
        now,
        policy,
        epochs.rests_of(definition, days),
    )


def _queued(policy: _Policy, epoch: int, slot: datetime, now: datetime) -> dict[str, Any]:
    return {
        "job_id": policy.id,
        "epoch": epoch,
        "trigger": RunTrigger.SCHEDULE,
        "slot": slot,
        "state": RunState.QUEUED,
        "queue": policy.queue,
        "ready_at": jitter.start_of(policy.id, slot, policy.jitter_s),
        "queued_at": now,
    }


def _passed(row: Cursor, part: catchup.Passed, now: datetime) -> JobRun:
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
        error=catchup.text_of(part),
    )


def _broken(row: Cursor, now: datetime, error: Exception) -> JobRun:
    logger.exception("job_broken", extra={"job_id": row.job_id})
    text = f"The schedule cannot be computed: {type(error).__name__}: {error}"
    epochs.break_off(row.job_id, now, text)
    return JobRun(
        job_id=row.job_id,
        epoch=row.epoch,
        trigger=RunTrigger.SCHEDULE,
        slot=row.next_run_time,
        state=RunState.FAILED,
        reason=Reason.BROKEN,
        ready_at=row.next_run_time or now,
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


class _Waiting(NamedTuple):
    """A queued run that a node has locked."""

    id: int
    job_id: str
    trigger: str
    slot: datetime | None
    attempt: int
    params: dict[str, Any] | None
    ready_at: datetime


JSON_COLUMNS = ("args", "kwargs", "retry_on")


class _Job(NamedTuple):
    """What it takes to start a run of a job; JSON_COLUMNS as text."""

    id: str
    name: str
    owner: str
    category: str
    module: str
    callable: str
    args: str
    kwargs: str
    timeout_s: float | None
    isolation: str
    memory_mb: int | None
    overlap: str
    max_instances: int
    retry_on: str
    enabled: bool
    state: str


def take(node: int, token: str, most: int, queues: Sequence[str] = ()) -> list[Assignment]:
    """Start at most `most` queued runs of `queues` (empty: all) on `node`: RUNNING is committed when this returns.

    Runs that may not overlap a running one wait for it or end as SKIPPED. Raises NodeGoneError when the node was
    declared dead.
    """
    begun_s = time.monotonic()
    waiting = _waiting(db_now(), queues)
    if not waiting.exists():
        return []
    with brief():
        if not _is_alive(node):
            raise NodeGoneError(f"node {node} was declared dead")
        runs = [_Waiting(*row) for row in locked(waiting).values_list(*_Waiting._fields)[:most]]
        jobs = _jobs_of({run.job_id for run in runs})
        now = db_now()
        starting = gates.admit(runs, jobs, now)
        JobRun.objects.filter(pk__among={run.id for run in starting}).update(
            state=RunState.RUNNING, node=node, token=token, started_at=now
        )
    return [_assignment(run, jobs[run.job_id], token, now, begun_s) for run in starting]


def taken(token: str) -> list[Assignment]:
    """The runs that were taken under `token`: what a commit did whose answer was lost."""
    rows = JobRun.objects.running().filter(token=token).order_by("ready_at", "id")
    found = [
        (_Waiting(*row), start) for *row, start in rows.values_list(*_Waiting._fields, "started_at")
    ]
    jobs = _jobs_of({run.job_id for run, _start in found})
    now, now_s = db_now(), time.monotonic()
    return [
        _assignment(run, jobs[run.job_id], token, start, now_s - (now - start).total_seconds())
        for run, start in found
        if run.job_id in jobs
    ]


def count_waiting(queue: str, most: int) -> int:
    """How many runs of `queue` may be taken now, counted up to `most`."""
    return _waiting(db_now(), (queue,))[:most].count()


def _waiting(now: datetime, queues: Sequence[str]) -> RunQuerySet:
    ready = JobRun.objects.queued().filter(held=False, ready_at__lte=now)
    return (ready.filter(queue__in=queues) if queues else ready).order_by("ready_at", "id")


def _jobs_of(job_ids: Collection[str]) -> dict[str, _Job]:
    columns = [Cast(c, TextField()) if c in JSON_COLUMNS else c for c in _Job._fields]
    rows = map(_Job._make, ScheduledJob.objects.filter(pk__among=job_ids).values_list(*columns))
    return {job.id: job for job in rows}


def _json(text: str) -> Any:
    """A value of its own for each run, whose body may change it; nearly all are empty."""
    if text == "[]":
        return []
    return {} if text == "{}" else json.loads(text)


def _assignment(
    run: _Waiting, job: _Job, token: str, started_at: datetime, taken_s: float
) -> Assignment:
    return Assignment(
        run_id=run.id,
        token=token,
        job_id=job.id,
        job_name=job.name,
        owner=job.owner,
        category=job.category,
        slot=run.slot,
        attempt=run.attempt,
        module=job.module,
        callable=job.callable,
        args=_json(job.args),
        kwargs={**_json(job.kwargs), **(run.params or {})},
        timeout_s=job.timeout_s,
        isolation=job.isolation or conf.get().ISOLATION,
        memory_mb=job.memory_mb,
        overlap=job.overlap,
        retry_on=_json(job.retry_on),
        ready_at=run.ready_at,
        started_at=started_at,
        taken_s=taken_s,
    )


def _is_alive(node: int) -> bool:
    row = Node.objects.select_for_update().filter(pk=node).values_list("state", flat=True).first()
    return row == NodeState.ALIVE
