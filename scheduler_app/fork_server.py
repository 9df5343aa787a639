"""The process that forks a child for each run, watches over it and ends it; it runs nothing itself.

`fork_client.py` starts it with one end of a socket pair, the *control*. A request there is one byte and two sockets:
the *line*, which the child gets, and the *leash*, which stays here. Over the leash this process says that the child was
started and how it ended, and is told when to end it. A leash that closes, or a parent that is gone, ends the child and
the rest of its process group at once.

The fork server of `multiprocessing` would not do: it refuses to serve daemonic processes (as Celery's are), and leaves
its children alone when its parent is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from scheduler_app.frames import Inbox, packed

ORDER = struct.Struct("!dd")
"""In how many seconds the child is asked to end (SIGTERM), and how many later it is killed."""
REQUEST = b"f"
END = b"x"
LOOK_EVERY_S = 0.5
LAST_S = 10.0
PR_SET_CHILD_SUBREAPER = 36
MAXRSS_OF_A_MB = 1024 if sys.platform.startswith("linux") else 1024 * 1024
"""getrusage(2) counts in KiB on Linux, in bytes on macOS."""


def main(control_fd: int) -> None:
    """Serve until the control closes; in a forked child: run what its line says."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    sys.argv[:] = _hello(control)["argv"]
    _adopt_orphans()
    run, report = _set_up()
    with contextlib.suppress(BrokenPipeError):  # the parent is gone already, as `serve` will see
        control.sendall(packed(**report))
    if line := ForkServer(control).serve():
        run(line)


def _hello(control: socket.socket) -> dict[str, list[str]]:
    inbox = Inbox()
    while data := control.recv(65_536):
        for message in inbox.take(data):
            return message
    sys.exit("The process that started this one is gone.")


def _adopt_orphans() -> None:
    """Where Linux is: what a child leaves behind is reaped here, as in a container nobody else does it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _set_up() -> tuple[Callable[[socket.socket], None], dict[str, object]]:
    """Load what every child needs; nothing of it may keep a thread or a connection.

    Returns the main function of a child, and the report of what was loaded.
    """
    import django

    django.setup()
    from django.db import connections

    from scheduler_app import child, preload

    files, left_out = preload.preload()
    connections.close_all()
    gc.collect()
    gc.freeze()
    return child.main, {"files": files, "left_out": left_out}


@dataclass(slots=True, eq=False)
class _Child:
    pid: int
    leash: socket.socket
    stop_at_s: float = math.inf
    kill_at_s: float = math.inf
    is_stopped: bool = False

    @property
    def due_s(self) -> float:
        return self.kill_at_s if self.is_stopped else self.stop_at_s

    def order(self, stop_in_s: float, grace_s: float) -> None:
        """Of several orders the earliest counts."""
        stop_at_s = time.monotonic() + stop_in_s
        self.stop_at_s = min(self.stop_at_s, stop_at_s)
        self.kill_at_s = min(self.kill_at_s, stop_at_s + grace_s)

    def look(self, now_s: float) -> None:
        if now_s >= self.stop_at_s and not self.is_stopped:
            self.is_stopped = True
            self.signal(signal.SIGTERM)
        if now_s >= self.kill_at_s:
            self.kill()

    def kill(self) -> None:
        self.is_stopped, self.kill_at_s = True, math.inf
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """To the whole group, or to the child alone as long as it has not made its group."""
        with contextlib.suppress(PermissionError):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                os.kill(self.pid, number)  # not reaped yet, so it is nobody else's number

    def tell(self, **message: object) -> None:
        with contextlib.suppress(OSError):  # the parent is gone
            self.leash.sendall(packed(**message))


class ForkServer:
    """One thread, one loop."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._parent = os.getppid()
        self._children: dict[int, _Child] = {}
        self._is_retired = False
        """No request comes any more; the server ends with its last child."""
        self._is_over = False
        self._selector = selectors.DefaultSelector()
        self._ears = socket.socketpair()
        for ear in self._ears:
            ear.setblocking(False)

    def serve(self) -> socket.socket | None:
        """Returns None when there is nothing more to do, and in each forked child its line."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ears[1].fileno(), warn_on_full_buffer=False)
        self._selector.register(self._ears[0], selectors.EVENT_READ, self._hear)
        self._selector.register(self._control, selectors.EVENT_READ, self._accept)
        while os.getppid() == self._parent and not self._is_over:
            for key, _ in self._selector.select(self._wait_s()):
                line: socket.socket | None = key.data()
                if line:
                    return line
            self._look()
            if self._is_retired and not self._children:
                break
        self._end()
        return None

    def _wait_s(self) -> float:
        first_s = min((child.due_s for child in self._children.values()), default=math.inf)
        return min(max(first_s - time.monotonic(), 0), LOOK_EVERY_S)

    def _hear(self) -> None:
        self._ears[0].recv(4096)

    def _accept(self) -> socket.socket | None:
        try:
            data, fds, *_ = socket.recv_fds(self._control, 1, 2)
        except OSError:
            data, fds = b"", []
        for fd in fds:
            os.set_inheritable(fd, False)
        sockets = [socket.socket(fileno=fd) for fd in fds]
        if not data:
            self._is_retired = True
            self._selector.unregister(self._control)
        elif data == END:
            self._is_over = True
        elif len(sockets) == 2:
            return self._fork(*sockets)
        for one in sockets:  # no room for both: the parent sees them close
            one.close()
        return None

    def _fork(self, line: socket.socket, leash: socket.socket) -> socket.socket | None:
        child = _Child(0, leash)
        try:
            child.pid = os.fork()
        except OSError as error:
            child.tell(refused=str(error))
            leash.close()
        else:
            if child.pid == 0:
                self._become_child(leash)
                return line
            self._children[child.pid] = child
            child.tell(pid=child.pid)
            self._selector.register(leash, selectors.EVENT_READ, lambda: self._obey(child))
        line.close()
        return None

    def _become_child(self, leash: socket.socket) -> None:
        """Leave behind all that is the server's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        leashes = [child.leash for child in self._children.values()]
        for one in (*self._ears, self._control, leash, *leashes):
            one.close()

    def _obey(self, child: _Child) -> None:
        try:
            order = child.leash.recv(ORDER.size, socket.MSG_WAITALL)
        except OSError:
            order = b""
        if len(order) == ORDER.size:
            child.order(*ORDER.unpack(order))
        else:
            self._selector.unregister(child.leash)
            child.kill()

    def _look(self) -> None:
        """Do what is due, and bury the dead with what they left running."""
        with contextlib.suppress(ChildProcessError):  # there is none
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                if child := self._children.pop(ended[0], None):
                    self._bury(child, *ended[1:])
        now_s = time.monotonic()
        for child in self._children.values():
            child.look(now_s)

    def _bury(self, child: _Child, status: int, used: resource.struct_rusage) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.tell(
            ended=os.waitstatus_to_exitcode(status),
            stopped=child.is_stopped,
            cpu_s=round(used.ru_utime + used.ru_stime, 6),
            peak_memory_mb=round(used.ru_maxrss / MAXRSS_OF_A_MB, 3),
        )
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.leash)
        child.leash.close()

    def _end(self) -> None:
        for child in self._children.values():
            child.kill()
        deadline_s = time.monotonic() + LAST_S
        while self._children and time.monotonic() < deadline_s:
            self._look()
            time.sleep(0.01)
