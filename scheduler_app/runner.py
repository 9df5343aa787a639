"""The one wrapper around every run, whoever executes it, in a thread or in a process of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from datetime import timedelta

from scheduler_app import body, conf
from scheduler_app.assignments import Assignment, RunResult
from scheduler_app.body import Outcome
from scheduler_app.children import run_in_child
from scheduler_app.output import OutputBuffer
from scheduler_app.process_state import ProcessState
from scheduler_app.running import RunHandle, recording
from scheduler_app.states import FAILED_STATES, Reason, RunState
from scheduler_app.texts import cut_line, storable

logger = logging.getLogger("scheduler_app.runner")


def handle_of(task: Assignment) -> RunHandle:
    output = OutputBuffer(conf.get().LOG_LIMIT_BYTES)
    return RunHandle(task.run_id, task.job_id, task.slot, task.attempt, output)


def execute(task: Assignment, handle: RunHandle, process: ProcessState | None = None) -> RunResult:
    """Run the job and return what to write; it never raises.

    In a process of its own, or in this thread (see `Assignment.isolated`); `handle.cancel` works in both. `process` is
    what a body in this thread must leave as it found it.
    """
    _at_work[id(handle)] = handle
    try:
        return wrap_job_callable(task, handle, process)()
    finally:
        del _at_work[id(handle)]


def stop_all() -> int:
    """The process is about to end: ask all runs to end that can; returns how many are at work."""
    handles = list(_at_work.values())
    for handle in handles:
        handle.cancel("", Reason.SHUTDOWN)
    return len(handles)


def wrap_job_callable(
    task: Assignment, handle: RunHandle, process: ProcessState | None = None
) -> Callable[[], RunResult]:
    """A callable that runs the job, logs its start and its end, and returns what to write; it never raises."""

    def run() -> RunResult:
        logger.info("job_run_start", extra=task.fields)
        outcome = _not_begun(handle) or (
            run_in_child(task, handle) if task.isolated else _run_here(task, handle, process)
        )
        result = _result(task, handle, outcome)
        _log_end(task, result)
        return result

    return run


def _not_begun(handle: RunHandle) -> Outcome | None:
    """The end of a run that was cancelled before its body was called."""
    if handle.cancellation is None:
        return None
    unstarted = Outcome(state=RunState.CANCELLED, began_s=time.monotonic(), duration_ms=0.0)
    return body.cancelled(unstarted, handle.cancellation)


def _run_here(task: Assignment, handle: RunHandle, process: ProcessState | None) -> Outcome:
    """In this thread, with an empty context: language, time zone and all other context variables are the body's own."""
    outcome = Context().run(_call, task, handle)
    for change in process.restore() if process else ():
        handle.output.write(f"{change}\n")
    if outcome.state == RunState.CANCELLED and handle.cancellation:
        return body.cancelled(outcome, handle.cancellation)
    return outcome


def _call(task: Assignment, handle: RunHandle) -> Outcome:
    with recording(handle):
        return body.call(task.module, task.callable, task.args, task.kwargs)


def _result(task: Assignment, handle: RunHandle, outcome: Outcome) -> RunResult:
    begin = task.started_at + timedelta(seconds=outcome.began_s - task.taken_s)
    state = outcome.state
    if state == RunState.CANCELLED and not handle.cancellation:
        state = RunState.FAILED  # it raised RunCancelled on its own
    return RunResult(
        run_id=task.run_id,
        token=task.token,
        state=state,
        reason=outcome.reason,
        started_at=begin,
        finished_at=begin + timedelta(milliseconds=outcome.duration_ms),
        duration_ms=outcome.duration_ms,
        usage=outcome.usage,
        result=outcome.result,
        error=outcome.error,
        traceback=outcome.traceback,
        log=storable(handle.output.text(), conf.get().LOG_LIMIT_BYTES),
        may_retry=state == RunState.LOST or _may_retry(task.retry_on, outcome.kinds),
    )


def _may_retry(names: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether the job wants to be tried again after an error of these `kinds`; without `names`: after any."""
    return not names or not set(names).isdisjoint(kinds)


def _log_end(task: Assignment, result: RunResult) -> None:
    fields = {
        **task.fields,
        "duration_ms": round(result.duration_ms, 3),
        **{name: used for name, used in result.usage._asdict().items() if used is not None},
        "outcome": result.state.value,
    }
    if result.state in FAILED_STATES:
        logger.error("job_run_failed", extra={**fields, "error": cut_line(result.error, 2000)})
    elif result.state == RunState.SKIPPED:
        logger.info("job_run_skipped", extra={**fields, "reason": cut_line(result.error, 500)})
    elif result.state == RunState.CANCELLED:
        logger.warning("job_run_cancelled", extra={**fields, "reason": cut_line(result.error, 500)})
    else:
        logger.info("job_run_success", extra=fields)


_at_work: dict[int, RunHandle] = {}
