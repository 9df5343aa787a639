"""The processes of one Celery worker: each that executes is a node, and all of them end together, in time.

Celery waits for running tasks without a limit; here what still runs after the grace is LOST, and the process ends.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from multiprocessing import Pipe

from scheduler_app import conf
from scheduler_app.executors.celery_node import CeleryNode

logger = logging.getLogger(__name__)

LAST_S = 1.0
"""How long after the grace a process of the pool may take to write what it has to."""


class WorkerEnd:
    """Two pipes that speak by being closed: "end" to every process of the worker, "all done" to the main one.

    Made before the pool is forked, so that every process has its ends of them.
    """

    def __init__(self) -> None:
        self._asked, self._ask = Pipe(duplex=False)
        self._settled, self._settle = Pipe(duplex=False)

    def enter_child(self) -> None:
        """What only the main process may hold open is let go."""
        self._ask.close()
        self._settled.close()

    def ask(self) -> None:
        """Fit for a signal handler."""
        self._ask.close()

    def wait_asked(self) -> None:
        self._asked.poll(None)

    def note_settled(self) -> None:
        self._settle.close()

    def wait_settled(self, timeout_s: float) -> bool:
        """Whether every process has noted it, or has ended."""
        self._settle.close()
        return self._settled.poll(timeout_s)


class CeleryProcess:
    """This process: the worker's main one, where this is made, or a child of its pool that inherits it."""

    def __init__(self) -> None:
        self._main_pid = os.getpid()
        self._end = WorkerEnd()
        self._stopping = threading.Lock()
        self._is_idle: bool | None = None
        self.node: CeleryNode | None = None

    def be_child(self, queues: Sequence[str]) -> None:
        if os.getpid() == self._main_pid:  # the pool "solo" has no child and says so all the same
            return
        self._end.enter_child()
        self._execute(queues, 1)
        threading.Thread(target=self._end_child, name="vigil-end", daemon=True).start()

    def be_main(self, queues: Sequence[str], slots: int) -> None:
        """`slots` 0: the pool's processes execute."""
        if slots:
            self._execute(queues, slots)
        threading.Thread(target=self._end_main, name="vigil-end", daemon=True).start()

    def ask_end(self) -> None:
        """Fit for a signal handler."""
        self._end.ask()

    def stop(self) -> bool:
        """Settle what this process holds, once; False when a body still runs."""
        with self._stopping:
            if self._is_idle is None:
                self._is_idle = self.node is None or self.node.stop(conf.get().SHUTDOWN_S)
        return self._is_idle

    def _execute(self, queues: Sequence[str], slots: int) -> None:
        self.node = CeleryNode(queues, slots)
        self.node.start()

    def _end_child(self) -> None:
        self._end.wait_asked()
        if not self.stop():
            _leave()
        self._end.note_settled()

    def _end_main(self) -> None:
        """Celery usually ends the process first."""
        self._end.wait_asked()
        until_s = time.monotonic() + conf.get().SHUTDOWN_S
        if self.stop():
            self._end.wait_settled(until_s + LAST_S - time.monotonic())
            time.sleep(max(until_s - time.monotonic(), 0))
        _leave()


def _leave() -> None:
    """End at once: threads that hang in a job cannot be ended otherwise."""
    logging.shutdown()
    os._exit(0)
