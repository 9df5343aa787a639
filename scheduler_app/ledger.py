"""The results of runs: the one writer of everything that follows RUNNING.

A result, the figures that it changes and the alerts that it raises are one transaction. A row changes only if it is
still RUNNING under the token of the start, so a result that is written twice, or too late, counts once or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_app import bulk, rollups
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.signals import runs_finished
from scheduler_app.states import Reason, RunState
from scheduler_app.transactions import brief

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a started run ended; every text is already fit to be stored (`texts.storable`)."""

    run_id: int
    token: str
    state: RunState
    finished_at: datetime
    duration_ms: float
    reason: Reason = Reason.NONE
    result: str = ""
    error: str = ""
    traceback: str = ""
    log: str = ""


WRITTEN = ("state", "reason", "finished_at", "duration_ms", "result", "error", "traceback", "log")


def finish(results: Sequence[RunResult]) -> list[JobRun]:
    """Write `results` in one transaction; returns the runs that they ended, in the order of `results`."""
    rows = [
        {"id": r.run_id, "token": r.token, **{name: getattr(r, name) for name in WRITTEN}}
        for r in results
    ]
    with brief():
        changed = bulk.update_each(
            JobRun, rows, match=("id", "token"), values=WRITTEN, only={"state": RunState.RUNNING}
        )
        ended = JobRun.objects.light().in_bulk(changed)
        order = list(dict.fromkeys(r.run_id for r in results if r.run_id in ended))
        runs = [ended[run_id] for run_id in order]
        _book(runs)
    _keep_late([r for r in results if r.run_id not in changed])
    return runs


def insert_final(runs: Sequence[JobRun]) -> None:
    """Insert rows that are born final (MISSED, or FAILED because the schedule is broken)."""
    if not runs:
        return
    known = set(
        JobRun.objects.filter(
            job_id__in={run.job_id for run in runs}, slot__in={run.slot for run in runs}
        ).values_list("job_id", "slot")
    )
    fresh = [run for run in runs if (run.job_id, run.slot) not in known]
    for run in JobRun.objects.bulk_create(fresh):
        _log_final(run)
    _book(fresh)


def _log_final(run: JobRun) -> None:
    level = logging.ERROR if run.state == RunState.FAILED else logging.WARNING
    event = "job_run_failed" if run.state == RunState.FAILED else "job_run_missed"
    extra = {"job_id": run.job_id, "run_id": run.pk, "error": run.error, "slots": run.slot_count}
    logger.log(level, event, extra=extra)


def insert_ended(runs: Sequence[JobRun]) -> None:
    """Insert runs that another scheduler executed, in the caller's transaction.

    One whose token is in the ledger was inserted before. A slot that has a run already keeps it: the second run of it has no slot, and says so.
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
    _book(fresh)


def end_unstarted(stopped: Sequence[tuple[JobRun, Reason]], now: datetime) -> None:
    """End queued runs (locked by the caller) that may not start: SKIPPED with a reason."""
    for run, reason in stopped:
        run.state, run.reason, run.finished_at = RunState.SKIPPED, reason, now
        run.save(update_fields=["state", "reason", "finished_at"])
    _book([run for run, _ in stopped])


def cancel_queued(run_id: int, *, by: str, reason: Reason, now: datetime) -> bool:
    """QUEUED to CANCELLED; False when the run is not queued."""
    with brief():
        waiting = JobRun.objects.queued().filter(pk=run_id)
        changed = waiting.update(
            state=RunState.CANCELLED,
            reason=reason,
            cancel_at=now,
            cancel_by=by[:150],
            finished_at=now,
        )
        _book(list(JobRun.objects.light().filter(pk=run_id)[:changed]))
    return bool(changed)


def give_back(run_ids: Sequence[int], token: str) -> int:
    """RUNNING back to QUEUED for runs whose body was certainly not called."""
    held = JobRun.objects.running().filter(pk__in=run_ids, token=token)
    return held.update(state=RunState.QUEUED, node=None, token="", started_at=None)


def end_lost(node: int, reason: Reason, run_ids: Collection[int] | None = None) -> list[JobRun]:
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
        _book(runs)
    for run in runs:
        extra = {"job_id": run.job_id, "run_id": run.pk, "error": run.error, "node": node}
        logger.error("job_run_failed", extra={**extra, "duration_ms": run.duration_ms})
    return runs


LOST_COLUMNS = ("state", "reason", "finished_at", "duration_ms", "error")


def show_progress(run_id: int, token: str, *, log: str, progress: float | None, text: str) -> None:
    """Store what a running job has said so far, so that it can be followed."""
    JobRun.objects.running().filter(pk=run_id, token=token).update(
        log=log, progress=progress, progress_text=text[:200]
    )


def announce_again(limit: int = 500) -> int:
    """Tell receivers about runs that they did not take the first time; returns how many."""
    with brief():
        due = JobRun.objects.filter(announce_due=True).order_by("pk")
        runs = list(due.select_for_update().light()[:limit])
        if runs and runs_finished.send(runs=runs):
            JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(announce_due=False)
    return len(runs)


def _book(runs: Sequence[JobRun]) -> None:
    if not runs:
        return
    rollups.count_runs(runs)
    rollups.note_last(runs)
    if not runs_finished.send(runs=runs):
        JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(announce_due=True)


def _keep_late(results: Sequence[RunResult]) -> None:
    """A result for a run that others declared ended changes nothing, but is not thrown away."""
    for late in results:
        text = f"{late.state} at {late.finished_at.isoformat()}: {late.error or late.result}"
        kept = JobRun.objects.filter(pk=late.run_id, state=RunState.LOST).update(late_result=text)
        if kept:
            logger.warning(
                "job_run_late_result", extra={"run_id": late.run_id, "outcome": late.state}
            )


def _elapsed_ms(run: JobRun, now: datetime) -> float | None:
    return (now - run.started_at).total_seconds() * 1000 if run.started_at else None
