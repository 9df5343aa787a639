"""Calls the function of a job and puts into words what came of it, in a thread as in a process of its own."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import callables, conf
from scheduler_app.errors import RunCancelled, SkipRun
from scheduler_app.running import Cancellation
from scheduler_app.states import Reason, RunState
from scheduler_app.texts import storable

ERROR_LIMIT_BYTES = 16_384

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
    kinds: tuple[str, ...] = ()
    """The names of the exception's class and of all that it derives from, plain and dotted."""


def call(module: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outcome:
    """Call the function and wait for its end; raises nothing that the function raises."""
    began_s = time.monotonic()
    value, error = None, None
    try:
        value = callables.resolve(module, name)(*args, **kwargs)
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
    except BaseException as caught:  # noqa: BLE001 - the edge: SystemExit and all else end this run only
        error = caught
    if error is None:
        return Outcome(
            state=RunState.SUCCESS,
            began_s=began_s,
            duration_ms=_since_ms(began_s),
            result=_shown(value),
        )
    return ended_by(error, began_s)


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
    classes = [one for one in type(error).__mro__ if one not in (object, BaseException)]
    dotted = [f"{one.__module__}.{one.__qualname__}" for one in classes]
    return (*(one.__name__ for one in classes), *dotted)


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
    """The return value as text: JSON where it can be JSON. A value that cannot be shown is no failure."""
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else _as_json(value)
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        text = _safely(lambda: repr(value), type(value).__name__)
    return storable(text, conf.get().RESULT_LIMIT_BYTES)


def _message(error: BaseException) -> str:
    if isinstance(error, SkipRun | RunCancelled):
        return _safely(lambda: str(error), type(error).__name__)
    return _safely(lambda: f"{type(error).__name__}: {error}", type(error).__name__)


def _trace(error: BaseException) -> str:
    lines = traceback.TracebackException
    return _safely(lambda: "".join(lines.from_exception(error).format()), "")


def _safely(describe: Callable[[], str], otherwise: str) -> str:
    try:
        return describe()
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        return f"{otherwise} (cannot be shown)"
