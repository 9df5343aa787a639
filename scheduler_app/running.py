"""What a job may ask for and say while it runs: `current_run()`, `SkipRun`, and all that it logs or prints."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from scheduler_app.errors import SkipRun

__all__ = ["RunHandle", "SkipRun", "current_run"]


class OutputBuffer:
    """Keeps the head and the tail of what is written, each at most half of `limit` characters."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = io.StringIO()
        self._tail: deque[str] = deque()
        self._tail_size = self._dropped = 0
        self._lock = threading.Lock()
        self.version = 0

    def write(self, text: str) -> None:
        with self._lock:
            self.version += 1
            room = self._half - self._head.tell()
            self._head.write(text[:room] if room > 0 else "")
            if rest := text[max(room, 0) :]:
                self._tail.append(rest[-self._half :])
                self._tail_size += len(self._tail[-1])
                self._dropped += len(rest) - len(self._tail[-1])
            while self._tail_size - len(self._tail[0] if self._tail else "") > self._half:
                first = self._tail.popleft()
                self._tail_size -= len(first)
                self._dropped += len(first)

    def text(self) -> str:
        with self._lock:
            gap = f"\n… {self._dropped:,} characters left out …\n" if self._dropped else ""
            return self._head.getvalue() + gap + "".join(self._tail)


@dataclass(slots=True)
class RunHandle:
    """The run that this code belongs to. Threads that a job starts by itself do not see it."""

    id: int
    job_id: str
    slot: datetime | None
    attempt: int
    output: OutputBuffer = field(repr=False)
    percent: float | None = None
    percent_text: str = ""

    def progress(self, percent: float, text: str = "") -> None:
        """Show how far the job is: `percent` from 0 to 100, and a few words."""
        self.percent = min(max(float(percent), 0.0), 100.0)
        self.percent_text = text
        self.output.version += 1


_current: ContextVar[RunHandle | None] = ContextVar("vigil_current_run", default=None)


def current_run() -> RunHandle | None:
    """The run that calls; None outside of a run (in a shell, a test or a web request)."""
    return _current.get()


@contextmanager
def recording(handle: RunHandle) -> Iterator[RunHandle]:
    """Everything logged or printed inside belongs to `handle`."""
    token = _current.set(handle)
    try:
        yield handle
    finally:
        _current.reset(token)


class RunLogHandler(logging.Handler):
    """Copies log records to the output of the run that wrote them."""

    def __init__(self) -> None:
        super().__init__()
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        formatter.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, UTC).timetuple()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        if run := current_run():
            run.output.write(self.format(record) + "\n")


class RunStream(io.TextIOBase):
    """Stands in for stdout or stderr: what a run prints goes to its output, all else passes."""

    def __init__(self, real: TextIO) -> None:
        self.real = real

    def write(self, text: str) -> int:
        run = current_run()
        if run is None:
            return self.real.write(text)
        run.output.write(text)
        return len(text)

    def flush(self) -> None:
        self.real.flush()

    def isatty(self) -> bool:
        return current_run() is None and self.real.isatty()

    def fileno(self) -> int:
        return self.real.fileno()


@contextmanager
def capturing() -> Iterator[None]:
    """While this process executes runs: tell their logging and printing apart."""
    handler, real = RunLogHandler(), (sys.stdout, sys.stderr)
    logging.getLogger().addHandler(handler)
    sys.stdout, sys.stderr = RunStream(real[0]), RunStream(real[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = real
        logging.getLogger().removeHandler(handler)
