"""What the end of a child means for its run (pure)."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import body
from scheduler_app.assignments import NOT_MEASURED, RunUsage
from scheduler_app.body import ERROR_LIMIT_BYTES, Outcome
from scheduler_app.conf import SchedulerConf
from scheduler_app.running import Cancellation
from scheduler_app.states import Reason, RunState
from scheduler_app.texts import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnd:
    """What is known of a child that is gone, or given up."""

    began_s: float
    duration_ms: float
    report: Mapping[str, Any] | None
    """What it said of its end: `outcome`, and whether it was `stopped` inside its body."""
    exit_code: int | None
    """Negative: the signal that ended it. None: nothing was heard."""
    usage: RunUsage = NOT_MEASURED
    """What the process used, as the kernel counted it."""
    is_stopped: bool
    """Whether the fork server had asked it to end."""
    problem: str = ""


def outcome_of(
    end: ChildEnd,
    *,
    timeout_s: float | None,
    cancellation: Cancellation | None,
    settings: SchedulerConf,
) -> Outcome:
    """A body that returned or raised by itself has the last word; else it counts who ended it."""
    own = _reported(end, settings) if end.report else None
    if own and end.report and not end.report.get("stopped"):
        return own
    known = Outcome(
        state=RunState.FAILED,
        began_s=own.began_s if own else end.began_s,
        duration_ms=own.duration_ms if own else end.duration_ms,
        traceback=own.traceback if own else "",
        usage=own.usage if own else end.usage,
    )
    if cancellation:
        return body.cancelled(known, cancellation)
    if timeout_s is not None and end.is_stopped:
        kinds, error = body.kinds_of(TimeoutError()), _over_limit(timeout_s, end)
        return replace(known, state=RunState.TIMEOUT, error=error, kinds=kinds)
    return replace(known, error=storable(_why(end), ERROR_LIMIT_BYTES))


def _reported(end: ChildEnd, settings: SchedulerConf) -> Outcome | None:
    """The outcome in the child's report; None when a body that wrote to the socket itself has spoilt it."""
    try:
        said = Outcome(**(end.report or {})["outcome"])
        return replace(
            said,
            state=RunState(said.state),
            reason=Reason(said.reason),
            result=storable(said.result, settings.RESULT_LIMIT_BYTES),
            error=storable(said.error, ERROR_LIMIT_BYTES),
            traceback=storable(said.traceback, ERROR_LIMIT_BYTES),
            usage=end.usage._replace(queries=RunUsage(*said.usage).queries),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _over_limit(limit_s: float, end: ChildEnd) -> str:
    text = _("stopped after its time limit of %(limit)s s") % {"limit": f"{limit_s:g}"}
    if end.exit_code == -signal.SIGKILL:
        text += _("; it did not end when it was asked to (SIGTERM) and was killed")
    return f"{text}; {end.problem}" if end.problem else text


def _why(end: ChildEnd) -> str:
    if end.problem:
        return end.problem
    if end.report:
        return _("The child process was asked to end by a SIGTERM that did not come from Vigil.")
    code = end.exit_code or 0
    if code >= 0:
        return _("The child process ended with exit code %(code)s before it reported.") % {
            "code": code
        }
    facts = {"number": -code, "name": signal.Signals(-code).name if -code in _SIGNALS else "?"}
    text = _("The child process ended by signal %(number)s (%(name)s) before it reported.") % facts
    return text + _memory_hint(code)


def _memory_hint(code: int) -> str:
    return " " + _("Its memory may have run out.") if code == -signal.SIGKILL else ""


_SIGNALS = frozenset(int(one) for one in signal.Signals)
