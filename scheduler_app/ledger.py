"""The results of runs: the one writer of everything that follows RUNNING.

A result, the figures that it changes and the alerts that it raises are one transaction. A row changes only if it is
still RUNNING under the token of the start, so a result that is written twice, or too late, counts once or not at all.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils.translation import gettext as _

from scheduler_app import backoff, bulk, rollups
from scheduler_app.assignments import EndedRun, RunResult, RunUsage
from scheduler_app.clock import db_now
from scheduler_app.errors import RunEndedError, UnknownRunError
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.signals import runs_finished
from scheduler_app.states import FAILED_STATES, OPEN_STATES, OnLost, Reason, RunState, RunTrigger
from scheduler_app.transactions import brief, locked

logger = logging.getLogger(__name__)

WRITTEN = (
    "state", "reason", "started_at", "finished_at", "duration_ms", "result", "error", "traceback", "log",
)  # fmt: skip
USAGE = RunUsage._fields
LOST_COLUMNS = ("state", "reason", "finished_at", "duration_ms", "error")


def finish(results: Sequence[RunResult]) -> list[EndedRun]:
    """Write `results` in one transaction; returns the runs that they ended, in the order of `results`."""
    rows = [
        {
            "id": r.run_id,
            "token": r.token,
            **{name: getattr(r, name) for name in WRITTEN},
            **r.usage._asdict(),
        }
        for r in results
    ]
    with brief() as now:
        changed = bulk.update_each(
            JobRun,
            rows,
            match=("id", "token"),
            values=(*WRITTEN, *USAGE),
            only={"state": RunState.RUNNING},
            returning=("id", "job_id", "ready_at"),
        )
        facts = {run_id: (job_id, ready_at) for run_id, job_id, ready_at in changed}
        ends = {r.run_id: r for r in results if r.run_id in facts}
        failed = [r.run_id for r in ends.values() if r.state in FAILED_STATES and r.may_retry]
        ended = _try_again([_ended(r, *facts[r.run_id]) for r in ends.values()], failed, now)
        _book(ended)
    _keep_late([r for r in results if r.run_id not in facts])
    return ended


def _ended(result: RunResult, job_id: str, ready_at: datetime) -> EndedRun:
    return EndedRun(
        pk=result.run_id,
        job_id=job_id,
        state=result.state,
        reason=result.reason,
        slot_count=1,
        ready_at=ready_at,
        started_at=result.started_at,
        finished_at=result.finished_at,
        duration_ms=result.duration_ms,
        error=result.error,
        usage=result.usage,
    )


def insert_final(runs: Sequence[JobRun]) -> None:
    """Insert rows that are born final (MISSED, or FAILED because the schedule is broken).

    Receivers are told by `announce`, when the caller's locks are gone: after an outage there may be thousands.
    """
    if not runs:
        return
    known = set(
        JobRun.objects.filter(
            job_id__in={run.job_id for run in runs}, slot__in={run.slot for run in runs}
        ).values_list("job_id", "slot")
    )
    fresh = [run for run in runs if (run.job_id, run.slot) not in known]
    adopt([run for run in runs if (run.job_id, run.slot) in known])
    for run in fresh:
        run.announce_due = True
    for run in JobRun.objects.bulk_create(fresh):
        _log_final(run)
    ended = [ended_of(run) for run in fresh]
    rollups.note_last(ended)
    rollups.count_runs(ended)


def adopt(runs: Sequence[JobRun]) -> None:
    """Give rows that have had the slots of `runs` since the clock was ahead the epoch to which these belong."""
    for run in runs:
        early = JobRun.objects.filter(job_id=run.job_id, slot=run.slot, attempt=1, epoch=None)
        early.update(epoch=run.epoch)


def _log_final(run: JobRun) -> None:
    level = logging.ERROR if run.state == RunState.FAILED else logging.WARNING
    event = "job_run_failed" if run.state == RunState.FAILED else "job_run_missed"
    extra = {"job_id": run.job_id, "run_id": run.pk, "error": run.error, "slots": run.slot_count}
    logger.log(level, event, extra=extra)


def insert_ended(runs: Sequence[JobRun]) -> None:
    """Insert runs that another scheduler executed, in the caller's transaction.

    One whose token is in the ledger was inserted before. A slot that has a run already keeps it: the second run of it
    has no slot, and says so.
    """
    slots = JobRun.objects.filter(
        job_id__in={run.job_id for run in runs}, slot__in={run.slot for run in runs}, attempt=1
    )
    known = {(job, slot): token for job, slot, token in slots.values_list("job", "slot", "token")}
    fresh = []
    for run in runs:
        key = (run.job_id, run.slot)
        if known.get(key) == run.token:
            continue
        if key in known:
            run.log = f"Another run of the slot {run.slot} is on record: do two schedulers run it?"
            run.slot = None
        known.setdefault(key, run.token)
        fresh.append(run)
    JobRun.objects.bulk_create(fresh)
    for run in fresh:
        if run.state in (RunState.FAILED, RunState.MISSED):
            _log_final(run)
    _book([ended_of(run) for run in fresh])


def end_unstarted(
    runs: Iterable[JobRun], state: RunState, reason: Reason, now: datetime, *, by: str = ""
) -> None:
    """End queued runs (locked by the caller) that are not to start: SKIPPED or CANCELLED, with a reason."""
    changes = {"state": state, "reason": reason, "finished_at": now, "held": False, "cancel_by": by}
    ended = list(runs)
    for run in ended:
        for name, value in changes.items():
            setattr(run, name, value)
    JobRun.objects.filter(pk__among=[run.pk for run in ended]).update(**changes)
    _book([ended_of(run) for run in ended])


def give_back(run_ids: Sequence[int], token: str) -> int:
    """RUNNING back to QUEUED for runs whose body was certainly not called."""
    held = JobRun.objects.running().filter(pk__in=run_ids, token=token)
    return held.update(state=RunState.QUEUED, node=None, token="", started_at=None)


def cancel(run_id: int, *, by: str, reason: Reason = Reason.BY_PERSON) -> JobRun:
    """End a queued run at once; ask the node of a running one to stop it.

    Raises UnknownRunError, and RunEndedError when there is nothing to cancel any more.
    """
    with brief():
        run = JobRun.objects.select_for_update().filter(pk=run_id).first()
        if run is None:
            raise UnknownRunError(_("There is no run %(run)s.") % {"run": run_id})
        if run.state not in OPEN_STATES:
            text = _("Run %(run)s has ended already: %(state)s.")
            raise RunEndedError(text % {"run": run_id, "state": run.get_state_display()})
        now = db_now()
        if run.state == RunState.QUEUED:
            end_unstarted([run], RunState.CANCELLED, reason, now, by=by[:150])
        elif run.cancel_at is None:
            run.cancel_at, run.cancel_by, run.reason = now, by[:150], reason
            run.save(update_fields=["cancel_at", "cancel_by", "reason"])
    extra = {"job_id": run.job_id, "run_id": run.pk, "by": by, "state": run.state}
    logger.info("job_run_cancel_asked", extra=extra)
    return run


def end_lost(node: int, reason: Reason, run_ids: Collection[int] | None = None) -> list[EndedRun]:
    """All that `node` left RUNNING (or only `run_ids` of it) becomes LOST; returns these runs."""
    now = db_now()
    with brief():
        held = JobRun.objects.running().filter(node=node)
        if run_ids is not None:
            held = held.filter(pk__in=run_ids)
        runs = list(held.select_for_update().order_by("pk").light())
        for run in runs:
            run.state, run.reason, run.finished_at = RunState.LOST, reason, now
            run.duration_ms = _elapsed_ms(run, now)
            run.error = f"The run did not report its end: {reason.label}."
        bulk.update_each(
            JobRun,
            [{name: getattr(r, name) for name in ("id", *LOST_COLUMNS)} for r in runs],
            match=("id",),
            values=LOST_COLUMNS,
        )
        ended = _try_again([ended_of(run) for run in runs], [run.pk for run in runs], now)
        _book(ended)
    for lost in ended:
        extra = {"job_id": lost.job_id, "run_id": lost.pk, "error": lost.error, "node": node}
        logger.error("job_run_failed", extra={**extra, "duration_ms": lost.duration_ms})
    return ended


def release(job_ids: Collection[str] | None = None) -> int:
    """Let held runs of `job_ids` be looked at again by whoever takes next; returns how many.

    Without `job_ids`: those that a run which ended at the same moment did not see.
    """
    held = JobRun.objects.queued().filter(held=True)
    if job_ids is None:
        held = held.exclude(job_id__in=JobRun.objects.running().values("job_id"))
    else:
        held = held.filter(job_id__among=job_ids)
    return held.update(held=False) if held.exists() else 0


def show_progress(run_id: int, token: str, *, log: str, progress: float | None, text: str) -> None:
    """Store what a running job has said so far, so that it can be followed."""
    running = JobRun.objects.running().filter(pk=run_id, token=token)
    with brief():
        running.update(log=log, progress=progress, progress_text=text[:200])


def announce(limit: int = 500, within_s: float = 1.0) -> int:
    """Tell receivers about runs that they have not heard of, or did not take; returns how many they took.

    In batches of `limit`, for about `within_s`. One that is not taken as a whole is told run by run.
    """
    until_s = time.monotonic() + within_s
    told = 0
    while taken := _announce(limit):
        told += taken
        if time.monotonic() > until_s:
            break
    return told


def _announce(limit: int) -> int:
    with brief():
        due = JobRun.objects.filter(announce_due=True).order_by("pk").light()
        runs = [ended_of(run) for run in locked(due)[:limit]]
        if not runs:
            return 0
        is_taken = runs_finished.send(runs=runs)
        taken = runs if is_taken else [run for run in runs if runs_finished.send(runs=[run])]
        JobRun.objects.filter(pk__in=[run.pk for run in taken]).update(announce_due=False)
    return len(taken)


class _RetryRules(NamedTuple):
    """What a job says of retries."""

    id: str
    max_retries: int
    on_lost: str
    retry_backoff_s: float
    queue: str

    def allow(self, run: JobRun) -> bool:
        """Whether `run` (FAILED, TIMEOUT or LOST) is to be tried again."""
        most = self.max_retries
        if run.state == RunState.LOST:
            most = max(most, 1) if self.on_lost == OnLost.RETRY else 0
        return run.next_try is None and run.attempt <= most


def _try_again(ended: list[EndedRun], failed: Collection[int], now: datetime) -> list[EndedRun]:
    """Queue another attempt for each of the `failed` whose job has retries left, in four statements.

    1. Read what the jobs say of retries, and the failed rows of those that want any.
    2. Insert the retries.
    3. Point each failed row to its retry.
    """
    of_failed = {run.job_id for run in ended if run.pk in failed}
    jobs = ScheduledJob.objects.filter(pk__among=of_failed).exclude(
        max_retries=0, on_lost=OnLost.ALERT
    )
    rules = {row[0]: _RetryRules(*row) for row in jobs.values_list(*_RetryRules._fields)}
    if not rules:
        return ended
    rows = JobRun.objects.filter(pk__among=failed, job_id__among=list(rules))
    runs = {run.pk: run for run in rows.defer("log", "result", "error", "traceback", "late_result")}
    retries = {
        pk: _retry_of(run, rules[run.job_id], now)
        for pk, run in runs.items()
        if rules[run.job_id].allow(run)
    }
    JobRun.objects.bulk_create(retries.values())
    pointers = [{"id": pk, "next_try": retry.pk} for pk, retry in retries.items()]
    bulk.update_each(JobRun, pointers, match=("id",), values=("next_try",))
    known = {pk: run.next_try for pk, run in runs.items()}
    known |= {pk: retry.pk for pk, retry in retries.items()}
    return [replace(run, next_try=known.get(run.pk)) for run in ended]


def _retry_of(run: JobRun, rules: _RetryRules, now: datetime) -> JobRun:
    jitter = random.uniform(-1, 1)  # noqa: S311 - no secret
    delay_s = backoff.delay_s(run.attempt, rules.retry_backoff_s, jitter)
    return JobRun(
        job_id=run.job_id,
        epoch=run.epoch,
        trigger=RunTrigger.RETRY,
        slot=run.slot,
        attempt=run.attempt + 1,
        first_run=run.first_run or run.pk,
        state=RunState.QUEUED,
        queue=rules.queue,
        params=run.params,
        requested_by=run.requested_by,
        ready_at=now + timedelta(seconds=delay_s),
        queued_at=now,
    )


def _book(runs: Sequence[EndedRun]) -> None:
    """Figures, receivers, and whoever waited for these runs."""
    if not runs:
        return
    release({run.job_id for run in runs if run.started_at})
    told = runs_finished.send(runs=runs)
    rollups.note_last(runs)
    rollups.count_runs(runs)
    if not told:
        JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(announce_due=True)


def ended_of(run: JobRun) -> EndedRun:
    """What figures and alerts are told of a row that is final."""
    assert run.finished_at is not None
    return EndedRun(
        pk=run.pk,
        job_id=run.job_id,
        state=RunState(run.state),
        reason=Reason(run.reason),
        slot_count=run.slot_count,
        ready_at=run.ready_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_ms=run.duration_ms,
        error=run.error,
        next_try=run.next_try,
    )


def _keep_late(results: Sequence[RunResult]) -> None:
    """A result for a run that others declared LOST changes nothing, but is not thrown away."""
    rows = [
        {
            "id": r.run_id,
            "late_result": f"{r.state} at {r.finished_at.isoformat()}: {r.error or r.result}",
        }
        for r in results
    ]
    kept = bulk.update_each(
        JobRun, rows, match=("id",), values=("late_result",), only={"state": RunState.LOST}
    )
    outcomes = {r.run_id: r.state for r in results}
    for (run_id,) in kept:
        extra = {"run_id": run_id, "outcome": outcomes[run_id]}
        logger.warning("job_run_late_result", extra=extra)


def _elapsed_ms(run: JobRun, now: datetime) -> float | None:
    return (now - run.started_at).total_seconds() * 1000 if run.started_at else None
