"""Runs in processes of their own, which can be ended, as the process sees them that wants them run.

The fork server (`fork_server.py`) forks the child (`child.py`), keeps its time limit and kills it, also when this
process stands still or is killed. Here a thread waits for the end.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app import body, callables, child_end, conf, fork_client
from scheduler_app.assignments import Assignment, RunUsage
from scheduler_app.body import Outcome
from scheduler_app.child_end import ChildEnd
from scheduler_app.errors import ChildError
from scheduler_app.fork_server import ORDER
from scheduler_app.frames import Inbox, packed
from scheduler_app.running import RunHandle

LATE_S = 15.0
"""How much longer than it should take a start or an end may last before it is given up."""
LOOK_EVERY_S = 1.0


def run_in_child(task: Assignment, handle: RunHandle) -> Outcome:
    """Run the body of `task` in a process of its own and wait for its end; never raises.

    `handle` gets what the body says while it runs. TIMEOUT after `task.timeout_s`; CANCELLED after `handle.cancel`, or
    LOST when that was because the scheduler stops; FAILED when the process ends before it has reported.
    """
    began_s = time.monotonic()
    try:
        callables.check_allowed(task.module, task.callable)
        with _started(task, handle) as child:
            child.watch()
            return child.outcome()
    except OSError as error:
        text = _("The child process could not be started: %(error)s.") % {"error": error}
        return body.ended_by(ChildError(text), began_s)
    except Exception as error:  # noqa: BLE001 - the edge: it ends this run only
        return body.ended_by(error, began_s)


@contextlib.contextmanager
def _started(task: Assignment, handle: RunHandle) -> Iterator[_Child]:
    grace_s = conf.get().TERM_GRACE_S
    with contextlib.ExitStack() as stack:
        line, far_line = map(stack.enter_context, socket.socketpair())
        leash, far_leash = map(stack.enter_context, socket.socketpair())
        child = _Child(task, handle, line, leash)
        fork_client.fork(far_line, far_leash)
        far_line.close()
        far_leash.close()
        if task.timeout_s is not None:
            child.order(task.timeout_s, grace_s)
        handle.on_cancel(lambda: child.order(0, grace_s))
        stack.callback(handle.on_cancel, None)
        yield child


def _message(task: Assignment) -> dict[str, Any]:
    """What `child.py` needs to know."""
    return {
        "run_id": task.run_id,
        "job_id": task.job_id,
        "slot": task.slot.isoformat() if task.slot else None,
        "attempt": task.attempt,
        "module": task.module,
        "callable": task.callable,
        "args": task.args,
        "kwargs": task.kwargs,
        "memory_mb": task.memory_mb,
    }


class _Child:
    """A child that was asked for: what it says comes over `line`, its number and its end over `leash`."""

    def __init__(
        self, task: Assignment, handle: RunHandle, line: socket.socket, leash: socket.socket
    ) -> None:
        self._task, self._handle = task, handle
        self._inboxes = {line: Inbox(), leash: Inbox()}
        self._line, self._leash = line, leash
        self._began_s = 0.0
        self._end_by_s = math.inf
        self._pid = 0
        self._report: dict[str, Any] | None = None
        self._end: dict[str, Any] | None = None
        self._problem = ""

    def order(self, stop_in_s: float, grace_s: float) -> None:
        """Have it asked to end in `stop_in_s`, and killed `grace_s` later. Of several orders the earliest counts."""
        self._end_by_s = min(self._end_by_s, time.monotonic() + stop_in_s + grace_s)
        with contextlib.suppress(OSError):  # the fork server is gone, which `watch` notices
            self._leash.sendall(ORDER.pack(stop_in_s, grace_s))

    def watch(self) -> None:
        """Return when the child has ended, or when it is certain that nothing will be heard of it."""
        self._began_s = time.monotonic()
        self._line.settimeout(LATE_S)
        with contextlib.suppress(OSError):  # it ended before it read all: that comes over the leash
            self._line.sendall(packed(**_message(self._task)))
        with selectors.DefaultSelector() as selector:
            for one in self._inboxes:
                selector.register(one, selectors.EVENT_READ)
            while self._end is None and not self._problem:
                for key, _events in selector.select(LOOK_EVERY_S):
                    if not self._listen(key.fileobj):
                        selector.unregister(key.fileobj)
                self._look_at_clock()
        self._line.setblocking(False)
        while self._listen(self._line):
            pass

    def outcome(self) -> Outcome:
        end = self._end or {}
        known = ChildEnd(
            began_s=self._began_s,
            duration_ms=(time.monotonic() - self._began_s) * 1000,
            report=self._report,
            exit_code=end.get("ended"),
            usage=RunUsage(end.get("cpu_s"), end.get("peak_memory_mb")),
            is_stopped=bool(end.get("stopped")) or time.monotonic() > self._end_by_s,
            problem=self._problem,
        )
        return child_end.outcome_of(
            known,
            timeout_s=self._task.timeout_s,
            cancellation=self._handle.cancellation,
            settings=conf.get(),
        )

    def _listen(self, source: Any) -> bool:
        """Take in what is there; False when `source` is closed."""
        try:
            data = source.recv(65_536)
        except OSError:
            data = b""
        for message in self._inboxes[source].take(data):
            self._hear(message)
        if not data and source is self._leash and self._end is None:
            self._lose()
        return bool(data)

    def _hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"say": str(text)}:
                self._handle.output.write(text)
            case {"percent": float(percent), "text": str(text)}:
                self._handle.progress(percent, text)
            case {"outcome": dict()}:
                self._report = message
                self.order(conf.get().TERM_GRACE_S, 0)
            case {"pid": int(pid)}:
                self._pid = pid
            case {"refused": str(why)}:
                self._problem = _("The child process could not be started: %(error)s.") % {
                    "error": why
                }
            case {"ended": int()}:
                self._end = message

    def _lose(self) -> None:
        """The leash has slipped: the fork server is gone, or had no room for the run."""
        if self._pid:
            self._problem = _("The process that watches over the child process ended.")
            self._kill()
        else:
            self._problem = self._problem or _("The fork server did not take the run.")

    def _look_at_clock(self) -> None:
        now_s = time.monotonic()
        if not self._pid and now_s > self._began_s + LATE_S:
            self._problem = _("The child process did not start within %(limit)s s.") % {
                "limit": f"{LATE_S:g}"
            }
        elif now_s > self._end_by_s + LATE_S:
            self._problem = _("The child process cannot be killed.")
            self._kill()

    def _kill(self) -> None:
        """The fork server does this, and closing the leash has it do so; here for when it cannot."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
