"""Ends a conversation when its time is over.

Time-outs of sockets hold for one read: a peer that sends a byte now and then (tarpits do) could keep a thread for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def cut_off_after(
    seconds: float, current: Callable[[], socket.socket | None]
) -> Iterator[threading.Event]:
    """Shut down the socket that `current` returns once `seconds` are over; the event says that it happened.

    Whoever waits on the socket in the block then sees the connection end.
    """
    over = threading.Event()

    def cut() -> None:
        over.set()
        if (wire := current()) is not None:
            with contextlib.suppress(OSError):
                # the plain socket's method: that of an SSL socket would take the TLS layer from its reader
                socket.socket.shutdown(wire, socket.SHUT_RDWR)

    timer = threading.Timer(max(seconds, 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
