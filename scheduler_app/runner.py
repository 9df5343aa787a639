"""The one wrapper around every run, whoever executes it."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler_app import callables, conf
from scheduler_app.ledger import RunResult
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.running import OutputBuffer, RunHandle, SkipRun, recording
from scheduler_app.states import Reason, RunState
from scheduler_app.texts import cut_line, storable

logger = logging.getLogger("scheduler_app.runner")

ERROR_LIMIT_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A run that this process took, with all that it needs to know of the job."""

    run_id: int
    token: str
    job_id: str
    job_name: str
    owner: str
    category: str
    slot: datetime | None
    attempt: int
    module: str
    callable: str
    args: list[Any]
    kwargs: dict[str, Any]
    started_at: datetime
    """Database time of the start."""
    taken_s: float
    """The monotonic clock at the start."""

    @property
    def fields(self) -> dict[str, Any]:
        """What every log line about this run carries."""
        names = ("run_id", "job_id", "job_name", "owner", "category")
        return {name: getattr(self, name) for name in names}


def assignment(run: JobRun, job: ScheduledJob, taken_s: float) -> Assignment:
    assert run.started_at is not None
    return Assignment(
        run_id=run.pk,
        token=run.token,
        job_id=job.pk,
        job_name=job.name,
        owner=job.owner,
        category=job.category,
        slot=run.slot,
        attempt=run.attempt,
        module=job.module,
        callable=job.callable,
        args=list(job.args),
        kwargs={**job.kwargs, **(run.params or {})},
        started_at=run.started_at,
        taken_s=taken_s,
    )


def handle_of(task: Assignment) -> RunHandle:
    output = OutputBuffer(conf.get().LOG_LIMIT_BYTES)
    return RunHandle(task.run_id, task.job_id, task.slot, task.attempt, output)


def wrap_job_callable(task: Assignment, handle: RunHandle) -> Callable[[], RunResult]:
    """A callable that runs the job, logs its start and its end, and returns what to write; it never raises."""

    def run() -> RunResult:
        logger.info("job_run_start", extra=task.fields)
        begin = time.perf_counter()
        with recording(handle):
            outcome = _call(task)
        result = _result(task, handle, outcome, (time.perf_counter() - begin) * 1000)
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
    task: Assignment, handle: RunHandle, outcome: _Outcome, duration_ms: float
) -> RunResult:
    elapsed = timedelta(seconds=time.monotonic() - task.taken_s)
    failed = outcome.state == RunState.FAILED
    return RunResult(
        run_id=task.run_id,
        token=task.token,
        state=outcome.state,
        reason=Reason.BY_JOB if outcome.state == RunState.SKIPPED else Reason.NONE,
        finished_at=task.started_at + elapsed,
        duration_ms=duration_ms,
        result=_shown(outcome.value),
        error=storable(_message(outcome.error), ERROR_LIMIT_BYTES) if outcome.error else "",
        traceback=storable(_trace(outcome.error), ERROR_LIMIT_BYTES) if failed else "",
        log=storable(handle.output.text(), conf.get().LOG_LIMIT_BYTES),
    )


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
