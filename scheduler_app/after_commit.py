"""Work that follows a commit, such as telling people of new alerts.

A thread that has more to commit hands it to a `Follower`, so that nothing waits for it; everybody else does it at once.
The rows say what is still to be done (`fan_out_due`), so what a follower does not get to is done by a sweep.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from django.db import connection

from scheduler_app.connections import refresh

logger = logging.getLogger(__name__)

YIELD_S = 0.5
LOOK_EVERY_S = 0.01

Work = Callable[[], object]

_of_thread = threading.local()


def do(work: Work) -> None:
    """Call `work` after a commit of this thread: at once, or by the thread's follower."""
    follower: Follower | None = getattr(_of_thread, "follower", None)
    if follower:
        follower.put(work)
    else:
        work()


class Follower(threading.Thread):
    """Does what the threads that it serves hand over, in their order.

    It yields to them for up to YIELD_S while `is_busy()`: they and it share one interpreter.
    """

    def __init__(self, name: str, is_busy: Callable[[], bool]) -> None:
        super().__init__(name=name, daemon=True)
        self._is_busy = is_busy
        self._queue: SimpleQueue[Work | None] = SimpleQueue()

    def serve_this_thread(self) -> None:
        _of_thread.follower = self

    def put(self, work: Work) -> None:
        self._queue.put(work)

    def stop(self, timeout_s: float) -> bool:
        """Finish what is there; False when that took longer than `timeout_s`."""
        self._queue.put(None)
        self.join(timeout_s)
        return not self.is_alive()

    def run(self) -> None:
        while work := self._queue.get():
            try:
                self._yield()
                refresh()
                work()
            except (
                Exception
            ):  # the next one is not to be blamed for it, and a sweep repeats this one
                logger.exception("after_commit_failed")
        connection.close()

    def _yield(self) -> None:
        until_s = time.monotonic() + YIELD_S
        while self._is_busy() and time.monotonic() < until_s:
            time.sleep(LOOK_EVERY_S)
