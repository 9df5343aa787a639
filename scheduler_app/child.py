"""What runs inside the process of one run: it calls the body, and says over its line what happens."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import resource
import signal
import socket
import threading
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.db import connections

from scheduler_app import body, callables, conf
from scheduler_app.body import Outcome
from scheduler_app.capture import capturing
from scheduler_app.errors import RunCancelled
from scheduler_app.frames import Inbox, packed
from scheduler_app.output import OutputBuffer
from scheduler_app.running import Cancellation, RunHandle, record_all
from scheduler_app.states import Reason

logger = logging.getLogger(__name__)


def main(line: socket.socket) -> NoReturn:
    """Run what comes over `line`, report how it ended, and end."""
    wire, stop = _Wire(line), _Stop()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, stop)
    _look_after_forks(wire)
    _unblock()
    if task := wire.receive():
        stop.handle = handle = _handle_of(task, _Output(conf.get().LOG_LIMIT_BYTES, wire))
        record_all(handle)
        if task["memory_mb"]:
            _limit_memory(task["memory_mb"])
        callables.trust(task["module"], task["callable"])
        with capturing():
            outcome = stop.guard(task)
            wire.send(outcome=asdict(outcome), stopped=stop.reached_body)
            _leave()
    os._exit(0)


def _handle_of(task: dict[str, Any], output: OutputBuffer) -> RunHandle:
    slot = datetime.fromisoformat(task["slot"]) if task["slot"] else None
    return RunHandle(task["run_id"], task["job_id"], slot, task["attempt"], output)


def _limit_memory(limit_mb: int) -> None:
    """Let the process allocate `limit_mb` MiB beyond what it has; what asks for more gets a MemoryError.

    RLIMIT_DATA counts private writable memory, which Linux does since 4.7 (getrlimit(2)).
    """
    limit = _data_size() + limit_mb * 1024 * 1024
    with contextlib.suppress(ValueError, OSError):  # the site has set a lower limit
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _data_size() -> int:
    """VmData of this process in bytes; 0 where there is no /proc."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return int(status.partition("\nVmData:")[2].split()[0]) * 1024


def _look_after_forks(wire: _Wire) -> None:
    """In processes that the body forks, as `multiprocessing` does, SIGTERM is the usual one from the first instant."""

    def become_usual() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _unblock()
        wire.unlock()

    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=become_usual)


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _leave() -> None:
    """End as every Python process does: threads that are no daemons, then what wanted to be called at exit."""
    try:
        connections.close_all()
        threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing does
        atexit._run_exitfuncs()
    except Exception:  # the run is over and has its outcome
        logger.exception("child_not_left_cleanly")


class _Wire:
    """The child's end of the line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()

    def unlock(self) -> None:
        self._lock = threading.Lock()

    def receive(self) -> dict[str, Any] | None:
        inbox = Inbox()
        while data := self._line.recv(65_536):
            for message in inbox.take(data):
                return message
        return None

    def send(self, **message: Any) -> None:
        data = packed(**message)
        with self._lock:
            try:
                self._line.sendall(data)
            except OSError:
                return  # the parent is gone, and so is this process in a moment


class _Output(OutputBuffer):
    """Sends what is written instead of keeping it, so that nothing is lost when the process is killed."""

    def __init__(self, limit: int, wire: _Wire) -> None:
        super().__init__(limit)
        self._limit, self._wire = limit, wire

    def write(self, text: str) -> None:
        if len(text) > self._limit:
            whole = OutputBuffer(self._limit)
            whole.write(text)
            text = whole.text()
        self._wire.send(say=text)

    def note_progress(self, percent: float, text: str) -> None:
        self._wire.send(percent=percent, text=text)


class _Stop:
    """Answers SIGTERM: once, RunCancelled in the main thread, if the body is still at work."""

    def __init__(self) -> None:
        self.handle: RunHandle | None = None
        self.reached_body = False
        self._asked = self._in_body = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        if self._in_body:
            self._raise()

    def guard(self, task: dict[str, Any]) -> Outcome:
        began_s = time.monotonic()
        try:
            self._in_body = True
            if self._asked:
                self._raise()
            return body.call(task["module"], task["callable"], task["args"], task["kwargs"])
        except RunCancelled as stop:
            return body.ended_by(stop, began_s)
        finally:
            self._in_body = False

    def _raise(self) -> NoReturn:
        self._in_body, self.reached_body = False, True
        if self.handle:
            self.handle.cancellation = Cancellation("", Reason.NONE)
        raise RunCancelled("the process of the run was asked to end (SIGTERM)")
