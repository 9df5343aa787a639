"""Logging that holds up nobody: records are queued, and one thread writes what is there in one go.

Many threads that each write their own lines wait for one another at the file and at the interpreter's lock; for short
jobs that cost more than all else. What a process that is killed leaves unwritten is the last moment's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from project.log_file import QuietFailure

MOST = 1000
GATHER_S = 0.02
"""Writing gives up the interpreter's lock several times, for which a busy process then has to be waited for."""
FULL = 20_000


class BackgroundLog(QuietFailure):
    """Hands the lines of records to `targets` from a thread that starts with the first record of each process."""

    def __init__(self, targets: Sequence[QuietFailure]) -> None:
        super().__init__()
        self._targets = targets
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock once the thread runs: with many threads they would wait for one another here."""
        if self._thread is None or self.filters:
            return bool(super().handle(record))
        self._hand_over(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_started():
            self._hand_over(record)
            return
        for target in self._targets:
            target.write_lines([self._line(record)])

    def _hand_over(self, record: logging.LogRecord) -> None:
        # what these refer to may change until the thread comes to it
        if record.exc_info or record.args:
            self.format(record)
        while self._queue.qsize() > FULL:
            time.sleep(0.001)
        self._queue.put(record)

    def flush(self) -> None:
        """Wait until what was logged so far is written, at most two seconds."""
        if self._thread is not None and self._thread.is_alive():
            written = threading.Event()
            self._queue.put(written)
            written.wait(timeout=2)

    def _begin(self) -> None:
        self._queue: SimpleQueue[logging.LogRecord | threading.Event] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def _is_started(self) -> bool:
        """False on a machine that has no thread left: then each line is written where it comes from."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="vigil-log", daemon=True)
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread
        return self._thread is not None

    def close(self) -> None:
        self.flush()
        for target in self._targets:
            target.close()
        super().close()

    def _run(self) -> None:
        while True:
            batch = self._batch()
            lines = [self._line(one) for one in batch if isinstance(one, logging.LogRecord)]
            for target in self._targets if lines else ():
                target.write_lines(lines)
            for one in batch:
                if isinstance(one, threading.Event):
                    one.set()
            time.sleep(GATHER_S)

    def _batch(self) -> list[logging.LogRecord | threading.Event]:
        batch = [self._queue.get()]
        while len(batch) < MOST:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 - as in every logging handler: a line must not break its caller
            return f'{{"event": "unloggable", "error": "{type(error).__name__}"}}'
