"""The one wrapper around every run, whoever executes it."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scheduler_app import callables, conf
from scheduler_app.assignments import Assignment, RunResult
from scheduler_app.running import OutputBuffer, RunHandle, SkipRun, recording
from scheduler_app.states import Reason, RunState
from scheduler_app.texts import cut_line, storable

logger = logging.getLogger("scheduler_app.runner")

ERROR_LIMIT_BYTES = 16_384


def handle_of(task: Assignment) -> RunHandle:
    output = OutputBuffer(conf.get().LOG_LIMIT_BYTES)
    return RunHandle(task.run_id, task.job_id, task.slot, task.attempt, output)


def wrap_job_callable(task: Assignment, handle: RunHandle) -> Callable[[], RunResult]:
    """A callable that runs the job, logs its start and its end, and returns what to write; it never raises."""

    def run() -> RunResult:
        logger.info("job_run_start", extra=task.fields)
        begin_s = time.monotonic()
        with recording(handle):
            outcome = _call(task)
        result = _result(task, handle, outcome, begin_s, time.monotonic())
        _log_end(task, result)
        return result

    return run


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: RunState
    value: Any = None
    error: BaseException | None = None


def _call(task: Assignment) -> _Outcome:
    try:
        function = callables.resolve(task.module, task.callable)
        value = function(*task.args, **task.kwargs)
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
        return _Outcome(RunState.SUCCESS, value)
    except SkipRun as skip:
        return _Outcome(RunState.SKIPPED, error=skip)
    except BaseException as error:  # noqa: BLE001 - the edge: SystemExit and all else end this run only
        return _Outcome(RunState.FAILED, error=error)


def _result(
    task: Assignment, handle: RunHandle, outcome: _Outcome, begin_s: float, end_s: float
) -> RunResult:
    failed = outcome.state == RunState.FAILED
    return RunResult(
        run_id=task.run_id,
        token=task.token,
        state=outcome.state,
        reason=Reason.BY_JOB if outcome.state == RunState.SKIPPED else Reason.NONE,
        started_at=task.started_at + timedelta(seconds=begin_s - task.taken_s),
        finished_at=task.started_at + timedelta(seconds=end_s - task.taken_s),
        duration_ms=(end_s - begin_s) * 1000,
        result=_shown(outcome.value),
        error=storable(_message(outcome.error), ERROR_LIMIT_BYTES) if outcome.error else "",
        traceback=storable(_trace(outcome.error), ERROR_LIMIT_BYTES) if failed else "",
        log=storable(handle.output.text(), conf.get().LOG_LIMIT_BYTES),
        may_retry=_may_retry(task.retry_on, outcome.error),
    )


def _may_retry(names: Sequence[str], error: BaseException | None) -> bool:
    """Whether `error` or a class that it derives from is one of `names` (with or without its module); empty: any."""
    if not names or error is None:
        return True
    known = {
        name
        for kind in type(error).__mro__
        for name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}")
    }
    return not known.isdisjoint(names)


def _shown(value: Any) -> str:
    """The return value as text: JSON where it can be JSON. A value that cannot be shown is no failure."""
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        text = _safely(lambda: repr(value), type(value).__name__)
    return storable(text, conf.get().RESULT_LIMIT_BYTES)


def _message(error: BaseException) -> str:
    if isinstance(error, SkipRun):
        return _safely(lambda: str(error), "SkipRun")
    return _safely(lambda: f"{type(error).__name__}: {error}", type(error).__name__)


def _trace(error: BaseException | None) -> str:
    """The traceback from the job's own frames on."""
    lines = traceback.TracebackException
    return _safely(lambda: "".join(lines.from_exception(error).format()) if error else "", "")


def _safely(describe: Callable[[], str], otherwise: str) -> str:
    try:
        return describe()
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        return f"{otherwise} (cannot be shown)"


def _log_end(task: Assignment, result: RunResult) -> None:
    fields = {**task.fields, "duration_ms": round(result.duration_ms, 3), "outcome": result.state}
    if result.state == RunState.FAILED:
        logger.error("job_run_failed", extra={**fields, "error": cut_line(result.error, 2000)})
    elif result.state == RunState.SKIPPED:
        logger.info("job_run_skipped", extra={**fields, "reason": cut_line(result.error, 500)})
    else:
        logger.info("job_run_success", extra=fields)
