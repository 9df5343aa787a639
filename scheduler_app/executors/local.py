"""Executes runs in this process: one thread takes what is queued, a pool of threads runs it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from apscheduler.executors.base import BaseExecutor
from django.db import connection

from scheduler_app import connections
from scheduler_app.executors.workbench import Workbench
from scheduler_app.heart import Heart
from scheduler_app.listener import RunEvent

logger = logging.getLogger(__name__)

POLL_S = 0.5


class LocalExecutor(BaseExecutor):  # type: ignore[misc]
    """Looks for queued runs of `queues` (empty: all) when it is rung, and twice a second."""

    def __init__(self, threads: int, heart: Heart, queues: Sequence[str] = ()) -> None:
        super().__init__()
        self._bench = Workbench(threads, heart, self._tell, queues=queues)
        self._bell = threading.Event()
        self._taker = threading.Thread(target=self._take_loop, name="vigil-taker", daemon=True)
        self._pool = [self._new_thread(number) for number in range(threads)]
        self.threads_died = 0
        """Threads that ended by themselves and were replaced."""

    def start(self, scheduler: Any, alias: str) -> None:
        super().start(scheduler, alias)
        self._bench.open()
        self._taker.start()
        wanted = len(self._pool)
        self._pool = [thread for thread in self._pool if self._is_started(thread)]
        self._bench.slots = len(self._pool)
        if len(self._pool) < wanted:
            extra = {"threads": len(self._pool), "wanted": wanted}
            logger.error("threads_unavailable", extra=extra)
        if not self._pool:
            raise RuntimeError("The machine gives this process no thread to run a job in.")

    def _new_thread(self, number: int) -> threading.Thread:
        return threading.Thread(target=self._work_loop, name=f"vigil-job-{number}", daemon=True)

    @staticmethod
    def _is_started(thread: threading.Thread) -> bool:
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left
            return False
        return True

    def ring(self) -> None:
        """There may be something to take."""
        self._bell.set()

    @property
    def busy(self) -> int:
        return self._bench.busy

    def show_output(self) -> None:
        self._bench.show_output()

    def heed_cancels(self) -> None:
        self._bench.heed_cancels()

    def settle(self, deadline_s: float | None) -> bool:
        """End; False when a body still ran at `deadline_s` (by the monotonic clock; None: wait for all)."""
        self._bench.closing.set()
        self._bell.set()
        self._taker.join(timeout=5)
        is_idle = self._bench.settle(deadline_s)
        for _ in self._pool:
            self._bench.work.put(None)
        return is_idle

    def _do_submit_job(self, job: Any, run_times: Any) -> None:
        raise NotImplementedError("Runs are taken from the database.")

    def _tell(self, event: RunEvent) -> None:
        self._scheduler._dispatch_event(event)

    def _take_loop(self) -> None:
        connections.limit_statements()
        while not self._bench.closing.is_set():
            self._bell.wait(POLL_S)
            self._bell.clear()
            if not self._bench.attempt(self._look):
                self._bench.closing.wait(POLL_S)
        connection.close()

    def _look(self) -> None:
        self._replace_dead_threads()
        self._bench.tidy()
        while self._bench.take():
            pass

    def _replace_dead_threads(self) -> None:
        """A body can end the thread of another one (PyThreadState_SetAsyncExc); its run becomes LOST."""
        for place, thread in enumerate(self._pool):
            if not thread.is_alive() and not self._bench.closing.is_set():
                self.threads_died += 1
                extra = {"job_thread": thread.name, "died": self.threads_died}
                logger.error("job_thread_died", extra=extra)
                new = self._new_thread(place)
                if self._is_started(new):
                    self._pool[place] = new

    def _work_loop(self) -> None:
        while (task := self._bench.work.get()) is not None:
            self._bench.execute(task)
            if self._bench.wants_more:
                self.ring()
        connection.close()
