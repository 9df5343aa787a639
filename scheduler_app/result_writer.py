"""One thread that writes what runs came to: it takes what is there and waits for no window."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from queue import Empty, SimpleQueue

from django.db import close_old_connections, connection

from scheduler_app import connections, ledger, outages
from scheduler_app.after_commit import Follower
from scheduler_app.assignments import RunResult

logger = logging.getLogger(__name__)

MOST = 500
BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
SQLITE_PAUSE_S = 0.002


class ResultWriter(threading.Thread):
    """Results put here are written as soon as the database takes them, however long that is."""

    def __init__(self) -> None:
        super().__init__(name="vigil-results", daemon=True)
        self._queue: SimpleQueue[RunResult | None] = SimpleQueue()
        self.pending: set[int] = set()
        """The runs whose results are not written yet."""
        self._stop_asked = threading.Event()
        self._follower = Follower("vigil-after-results", lambda: bool(self.pending))

    def put(self, result: RunResult) -> None:
        self.pending.add(result.run_id)
        self._queue.put(result)

    def stop(self, timeout_s: float) -> bool:
        """Write what is there and end; False when that took longer than `timeout_s`."""
        self._stop_asked.set()
        self._queue.put(None)
        until_s = time.monotonic() + timeout_s
        self.join(timeout_s)
        self._follower.stop(max(until_s - time.monotonic(), 0))  # a sweep does what is left
        return not self.is_alive()

    def run(self) -> None:
        self._follower.start()
        self._follower.serve_this_thread()
        connections.limit_statements()
        while not (self._stop_asked.is_set() and self._queue.empty()):
            batch = self._batch()
            self._write(batch)
            self.pending.difference_update([result.run_id for result in batch])
        connection.close()

    def _batch(self) -> list[RunResult]:
        batch = [self._queue.get()]
        while len(batch) < MOST:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return [result for result in batch if result is not None]

    def _write(self, batch: list[RunResult]) -> None:
        try:
            self._store(batch)
        except Exception as error:  # noqa: BLE001 - one result that cannot be stored may hold up no other
            self._divide(batch, error)
            return
        if connection.vendor == "sqlite":
            time.sleep(SQLITE_PAUSE_S)  # lets the claim begin its transaction

    def _store(self, batch: Sequence[RunResult]) -> None:
        """Write `batch`, however long the database is away. Raises what is no outage."""
        for failures in count():
            try:
                close_old_connections()
                ledger.finish(batch)
            except Exception as error:
                if not outages.is_outage(error):
                    raise
                extra = {"error": str(error), "results": len(batch)}
                logger.warning("results_wait_for_database", extra=extra)
                outages.let_go(error)
                time.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
            else:
                return

    def _divide(self, batch: Sequence[RunResult], error: Exception) -> None:
        if len(batch) > 1:
            half = len(batch) // 2
            self._write(list(batch[:half]))
            self._write(list(batch[half:]))
            return
        logger.exception("result_not_storable", extra={"run_id": batch[0].run_id})
        text = f"The result could not be stored: {type(error).__name__}."
        plain = replace(batch[0], result="", traceback="", log="", error=text)
        try:
            self._store([plain])
        except Exception:  # the writer goes on; the node's taker ends the run as LOST
            logger.exception("result_lost", extra={"run_id": plain.run_id, "outcome": plain.state})
