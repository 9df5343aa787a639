"""Calls the function of a job and puts into words what came of it, in a thread as in a process of its own."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, NoReturn, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.utils.translation import gettext as _

from scheduler_app import callables, conf, database_use
from scheduler_app.assignments import NOT_MEASURED, RunUsage
from scheduler_app.errors import OpenTransactionError, RunCancelled, SkipRun
from scheduler_app.running import Cancellation
from scheduler_app.states import Reason, RunState
from scheduler_app.texts import storable

ERROR_LIMIT_BYTES = 16_384
LAZY = (map, filter, starmap)

T = TypeVar("T")

_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a body ended, in texts that are fit to be stored."""

    state: RunState
    reason: Reason = Reason.NONE
    began_s: float
    """The monotonic clock (of the machine, not of the process) when the body was called."""
    duration_ms: float
    result: str = ""
    error: str = ""
    traceback: str = ""
    usage: RunUsage = NOT_MEASURED
    kinds: tuple[str, ...] = ()
    """The names of the exception's class and of all that it derives from, plain and dotted."""


def call(module: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outcome:
    """Call the function and wait for its end; raises nothing that the function raises.

    1. Give it database connections of its own.
    2. Call it; run a generator, an awaitable or a future that it returns to its end; put the result into text.
    3. Roll back a transaction that it left open, which makes the run FAILED.
    """
    began_s, cpu_s, pid = time.monotonic(), time.thread_time(), os.getpid()
    result, error = "", None
    with database_use.own_connections() as use:
        try:
            result = _shown(_to_end(callables.resolve(module, name)(*args, **kwargs)))
        except BaseException as caught:  # noqa: BLE001 - the edge: SystemExit and all else end this run only
            error = caught
        if os.getpid() != pid:
            _end_forked_process(error)
    usage = RunUsage(cpu_s=time.thread_time() - cpu_s, queries=use.queries)
    if use.left_open:
        error = _left_open(use.left_open, error)
    if error is not None:
        return replace(ended_by(error, began_s), usage=usage)
    return Outcome(
        state=RunState.SUCCESS,
        began_s=began_s,
        duration_ms=_since_ms(began_s),
        result=result,
        usage=usage,
    )


def _to_end(value: Any) -> Any:
    """What a body returned, once the work that it stands for is done.

    The items of a generator are dropped, its return value is the result. `map` and `filter` have not begun before
    they are iterated.
    """
    if inspect.isgenerator(value):
        return _exhaust(value)
    if isinstance(value, LAZY):
        return deque(value, maxlen=0) and None
    if isinstance(value, Future):
        return _to_end(value.result())
    if inspect.isasyncgen(value) or inspect.isawaitable(value):
        return _to_end(asyncio.run(_await(value)))
    return value


def _exhaust(generator: Generator[Any, Any, Any]) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


async def _await(value: Any) -> Any:
    """In a context in which all synchronous code runs in one thread, which ends with it."""
    async with ThreadSensitiveContext():
        try:
            if not inspect.isasyncgen(value):
                return await value
            async for _item in value:
                pass
            return None
        finally:
            await database_use.end_connections_of_async_code()


def _left_open(aliases: Sequence[str], error: BaseException | None) -> BaseException:
    """The error of a run whose body left transactions open; one that it raised itself is kept, with a note."""
    text = _(
        "The body left a transaction open on the database %(databases)s; it was rolled back. "
        "Commit it, or use transaction.atomic()."
    ) % {"databases": ", ".join(aliases)}
    if error is None or isinstance(error, SkipRun):
        return OpenTransactionError(text)
    with suppress(Exception):  # an odd class of somebody else
        error.add_note(text)
    return error


def _end_forked_process(error: BaseException | None) -> NoReturn:
    """In a process that the body forked, and that left the body: it is no second scheduler."""
    code: Any = 1 if error else 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error:
        sys.stderr.write(_trace(error))
    sys.stderr.flush()
    os._exit(code)


def cancelled(outcome: Outcome, cancellation: Cancellation) -> Outcome:
    """`outcome` of a body that ended because somebody wanted it to."""
    by, reason = cancellation.by, cancellation.reason
    return replace(
        outcome,
        state=RunState.LOST if reason == Reason.SHUTDOWN else RunState.CANCELLED,
        reason=reason,
        error=_("cancelled by %(by)s") % {"by": by} if by else str(reason.label),
    )


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """`TimeoutError` is also an `OSError`; `requests.ConnectionError` can be named without its module."""

    def names() -> tuple[str, ...]:
        classes = [one for one in type(error).__mro__ if one not in (object, BaseException)]
        dotted = [f"{one.__module__}.{one.__qualname__}" for one in classes]
        return (*(one.__name__ for one in classes), *dotted)

    return _safely(names, ())


def ended_by(error: BaseException, began_s: float) -> Outcome:
    """The outcome of a body that `error` ended, now."""
    state, reason = RunState.FAILED, Reason.NONE
    if isinstance(error, SkipRun):
        state, reason = RunState.SKIPPED, Reason.BY_JOB
    elif isinstance(error, RunCancelled):
        state = RunState.CANCELLED
    return Outcome(
        state=state,
        reason=reason,
        began_s=began_s,
        duration_ms=_since_ms(began_s),
        error=storable(_message(error), ERROR_LIMIT_BYTES),
        traceback="" if isinstance(error, SkipRun) else storable(_trace(error), ERROR_LIMIT_BYTES),
        kinds=kinds_of(error),
    )


def _since_ms(began_s: float) -> float:
    return (time.monotonic() - began_s) * 1000


def _shown(value: Any) -> str:
    """The return value as text: JSON where it can be JSON.

    A value whose text cannot be made is no failure, unless making it raises what ends programs (KeyboardInterrupt).
    """
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else _as_json(value)
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        text = _repr(value)
    return storable(text, conf.get().RESULT_LIMIT_BYTES)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        return _cannot_be_shown(value)


def _message(error: BaseException) -> str:
    if isinstance(error, SkipRun | RunCancelled):
        return _safely(lambda: str(error), _cannot_be_shown(error))
    return _safely(lambda: f"{type(error).__name__}: {error}", _cannot_be_shown(error))


def _trace(error: BaseException) -> str:
    return _safely(lambda: _trace_of_the_job(error), "")


def _trace_of_the_job(error: BaseException) -> str:
    """Without the frames of this file above the job's: they say nothing about the job."""
    trace = traceback.TracebackException.from_exception(error)
    while len(trace.stack) > 1 and trace.stack[0].filename == __file__:
        del trace.stack[0]
    return "".join(trace.format())


def _cannot_be_shown(value: object) -> str:
    return f"{type(value).__name__} (cannot be shown)"


def _safely(describe: Callable[[], T], otherwise: T) -> T:
    """For the error that ended a body: whatever describing it raises, the run has ended already."""
    try:
        return describe()
    except BaseException:  # noqa: BLE001 - an odd class of somebody else
        return otherwise
