"""Runs of a scheduler that is watched, on their way into the ledger: a bounded queue, and one thread that writes."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from django.db import Error, IntegrityError, close_old_connections, connection

from scheduler_app import ledger, outages, watched_jobs
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.transactions import brief
from scheduler_app.watched_jobs import Sight

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
BATCH = 200
BACK_OFF_S = (0.2, 1.0, 5.0, 15.0)
AT_EXIT_S = 3.0

Seen = tuple[Sight, dict[str, Any]]
"""A job, and the columns of a run of it."""


class WatchedRuns:
    """`put` takes microseconds and never fails: it is called in the threads of somebody else's scheduler.

    Runs wait here as long as the database is away. Where there are too many, the newest are dropped, and counted.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: deque[Seen] = deque()
        self._dropped = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def put(self, sight: Sight, values: dict[str, Any]) -> None:
        with self._changed:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append((sight, values))
            else:
                self._dropped += 1
            self._start()
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end; False when that took longer. What is put later is written by a new thread."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout_s)
        if left := len(self._waiting):
            extra = {"watch": self._name, "runs": left + self._dropped}
            logger.error("watched_runs_not_written", extra=extra)
        return not left

    def _start(self) -> None:
        """At the first run, and again in a process that was forked off: threads do not come along."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._thread is None:
            atexit.register(self.close, AT_EXIT_S)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="vigil-watch", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        failures = 0
        while batch := self._next():
            try:
                close_old_connections()
                self._write(batch)
            except Error as error:  # an outage: see _write
                outages.let_go(error)
                extra = {"watch": self._name, "error": str(error), "runs": len(self._waiting)}
                logger.warning("watched_runs_wait_for_database", extra=extra)
                if not self._wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]):
                    break
                failures += 1
            else:
                failures = 0
                self._written(len(batch))
        connection.close()

    def _next(self) -> list[Seen]:
        """What is to be written next; empty when all is written and nobody wants more."""
        with self._changed:
            while not self._waiting and not self._closing:
                connection.close()  # nothing is held while there is nothing to do
                self._changed.wait()
            return [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]

    def _wait(self, seconds: float) -> bool:
        """False when this process ends, so that one more try is all there is time for."""
        with self._changed:
            was_closing = self._closing
            self._changed.wait_for(lambda: self._closing, seconds)
            return not was_closing

    def _written(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._waiting.popleft()
            dropped, self._dropped = self._dropped, 0
        if dropped:
            extra = {"watch": self._name, "dropped": dropped, "most": MOST_WAITING}
            logger.error("watched_runs_dropped", extra=extra)

    def _write(self, batch: Sequence[Seen]) -> None:
        """Raises the errors of an outage; what cannot be stored for another reason is left out."""
        try:
            _store(batch)
        except Exception as error:  # one run that cannot be stored may hold up no other
            if outages.is_outage(error):
                raise
            if len(batch) == 1 and not isinstance(error, IntegrityError):
                logger.exception("watched_run_not_storable", extra={"watch": self._name})
                return
            self._divide(batch)

    def _divide(self, batch: Sequence[Seen]) -> None:
        if len(batch) > 1:
            half = len(batch) // 2
            self._write(batch[:half])
            self._write(batch[half:])
            return
        try:
            _store(batch)  # another process wrote the same job or slot: now it is seen
        except IntegrityError:
            logger.exception("watched_run_not_storable", extra={"watch": self._name})


def _store(batch: Sequence[Seen]) -> None:
    with brief():
        theirs = watched_jobs.keep((sight for sight, _ in batch), db_now())
        ledger.insert_ended(
            [JobRun(job_id=sight.id, **values) for sight, values in batch if sight.id in theirs]
        )
