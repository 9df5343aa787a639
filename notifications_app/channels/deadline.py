"""Ends a conversation when its time is over.

Time-outs of sockets hold for one read: a peer that sends a byte now and then (tarpits do) could keep a thread for ever.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    ends_s: float
    current: Callable[[], socket.socket | None]
    over: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        self.over.set()
        try:
            if (wire := self.current()) is not None:
                # the plain socket's method: that of an SSL socket would take the TLS layer from its reader
                socket.socket.shutdown(wire, socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already
        except Exception:  # the other calls still need their end
            logger.exception("call_not_cut_off")


class _Watch:
    """One thread of the process for all calls: a timer for each would cost more than many a call does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: set[_Call] = set()
        self._looks_s = 0.0
        """When the thread looks again; 0 while there is none."""

    def add(self, call: _Call) -> None:
        with self._changed:
            self._calls.add(call)
            if not self._looks_s:
                self._looks_s = call.ends_s
                threading.Thread(target=self._run, name="vigil-deadline", daemon=True).start()
            elif call.ends_s < self._looks_s:
                self._changed.notify()

    def drop(self, call: _Call) -> None:
        with self._changed:
            self._calls.discard(call)

    def _run(self) -> None:
        with self._changed:
            while self._calls:
                now_s = time.monotonic()
                for call in [call for call in self._calls if call.ends_s <= now_s]:
                    self._calls.discard(call)
                    call.cut()
                if self._calls:
                    self._looks_s = min(call.ends_s for call in self._calls)
                    self._changed.wait(max(self._looks_s - now_s, 0.0))
            self._looks_s = 0.0


_watch = _Watch()


def _begin_anew() -> None:
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_begin_anew)  # threads stay behind


@contextlib.contextmanager
def cut_off_after(
    seconds: float, current: Callable[[], socket.socket | None]
) -> Iterator[threading.Event]:
    """Shut down the socket that `current` returns once `seconds` are over; the event says that it happened.

    Whoever waits on the socket in the block then sees the connection end.
    """
    call = _Call(time.monotonic() + seconds, current)
    _watch.add(call)
    try:
        yield call.over
    finally:
        _watch.drop(call)
