"""This process's own fork server: started when it is needed first, and again when it is gone."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from scheduler_app.errors import ChildError
from scheduler_app.fork_server import END, REQUEST
from scheduler_app.frames import Inbox, packed

logger = logging.getLogger(__name__)

START_S = 60.0
"""How long it may take to be ready, with the modules of the jobs imported."""
LOOK_EVERY_S = 1.0
"""How often the files of these modules are looked at, when a run begins."""
END_S = 3.0
"""How long it may take to end its children and itself."""
ROLE = "child"
"""The last of `sys.argv` in the server and its children; before it stands what this process was called with."""


def fork(line: socket.socket, leash: socket.socket) -> None:
    """Ask for a child that gets `line`; `leash` is the server's (see `fork_server.py`).

    Raises ChildError and OSError when no server can be had.
    """
    with _lock:
        try:
            _at_work().ask(line, leash)
        except BrokenPipeError:  # it went in this instant
            _at_work().ask(line, leash)


def prepare() -> None:
    """Have the server started, so that the first run need not wait for it."""
    try:
        with _lock:
            _at_work()
    except (ChildError, OSError) as error:
        logger.warning("fork_server_not_started", extra={"error": str(error)})


def close() -> None:
    """End the server, and with it every child. One that is just being started ends when this process does."""
    global _server
    if not _lock.acquire(timeout=1):
        return
    try:
        for one in filter(None, (_server, *_retired)):
            one.end()
        _server = None
        _retired.clear()
    finally:
        _lock.release()


def time_of_change(path: str) -> int:
    """In nanoseconds; 0 where there is no such file."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - before many runs
    except OSError:
        return 0


class _Server:
    """A running fork server. Raises ChildError when it does not get ready."""

    def __init__(self) -> None:
        self._looked_s = 0.0
        self._files: dict[str, int] = {}
        self._control, theirs = socket.socketpair()
        self._control.settimeout(START_S)
        try:
            with theirs:
                self.process = _start(theirs)
            self._get_ready()
        except BaseException:
            self._control.close()
            raise
        extra = {"pid": self.process.pid, "left_out": self.left_out}
        logger.info("fork_server_started", extra=extra)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def is_outdated(self) -> bool:
        """Whether code that the server has imported has changed since."""
        if time.monotonic() - self._looked_s < LOOK_EVERY_S:
            return False
        self._looked_s = time.monotonic()
        times = ((kept, time_of_change(path)) for path, kept in self._files.items())
        return any(now not in (0, kept) for kept, now in times)

    def ask(self, line: socket.socket, leash: socket.socket) -> None:
        socket.send_fds(self._control, [REQUEST], [line.fileno(), leash.fileno()])

    def retire(self) -> None:
        """Ask for no more children; it ends with the last that it has."""
        self._control.close()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._control.send(END)
        self._control.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def forget(self) -> None:
        """In a process forked from this one, whose server it is not."""
        self._control.close()
        self.process.returncode = 0

    def _get_ready(self) -> None:
        try:
            self._control.sendall(packed(argv=[*sys.argv, ROLE]))
            report = self._report()
        except OSError:
            report = {}
        if not report:
            self.process.kill()
            code = self.process.wait()
            raise ChildError(f"The fork server did not get ready within {START_S:g} s ({code}).")
        self._files, self.left_out = report["files"], report["left_out"]
        self._looked_s = time.monotonic()

    def _report(self) -> dict[str, Any]:
        inbox = Inbox()
        while data := self._control.recv(65_536):
            for message in inbox.take(data):
                return message
        return {}


def _start(control: socket.socket) -> subprocess.Popen[bytes]:
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from scheduler_app import fork_server; fork_server.main({control.fileno()})"
    )
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-c", program],
        pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # it has to outlive a kill of our group, to end the children
    )


def _at_work() -> _Server:
    """The caller holds the lock."""
    global _server
    if _server is None or not _server.is_alive:
        if _server:
            _server.end()
        _server = _Server()
    elif _server.is_outdated():
        old, _server = _server, _Server()
        old.retire()
        _retired[:] = [old, *(one for one in _retired if one.is_alive)]
    return _server


def _start_afresh() -> None:
    global _lock, _server
    for one in filter(None, (_server, *_retired)):
        one.forget()
    _lock, _server = threading.Lock(), None
    _retired.clear()


_lock = threading.Lock()
_server: _Server | None = None
_retired: list[_Server] = []
"""Servers that serve children of older code to their end."""
atexit.register(close)
os.register_at_fork(after_in_child=_start_afresh)
