"""What a job may ask for and say while it runs: `current_run()`, `SkipRun`, and all that it logs or prints.

Also how it hears that it is to end: `RunCancelled`.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from scheduler_app.errors import RunCancelled, SkipRun
from scheduler_app.states import Reason

__all__ = ["RunCancelled", "RunHandle", "SkipRun", "current_run"]


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

    def note_progress(self, percent: float, text: str) -> None:
        """There is something new to show, beside what is written."""
        self.version += 1

    def text(self) -> str:
        with self._lock:
            gap = f"\n… {self._dropped:,} characters left out …\n" if self._dropped else ""
            return self._head.getvalue() + gap + "".join(self._tail)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who wanted a run to end, and why."""

    by: str
    reason: Reason


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
    cancellation: Cancellation | None = None
    _end: Callable[[], None] | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def progress(self, percent: float, text: str = "") -> None:
        """Show how far the job is: `percent` from 0 to 100, and a few words."""
        self.percent = min(max(float(percent), 0.0), 100.0)
        self.percent_text = text
        self.output.note_progress(self.percent, text)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants this run to end."""
        return self.cancellation is not None

    def check_cancelled(self) -> None:
        """Raise RunCancelled when somebody wants this run to end; it is then recorded as CANCELLED."""
        if self.is_cancelled:
            raise RunCancelled("the run was asked to end")

    def cancel(self, by: str, reason: Reason = Reason.BY_PERSON) -> None:
        """Ask the run to end, from any thread: a process of its own is ended, a body in a thread has to look itself.

        Only the first call counts.
        """
        with self._lock:
            is_first = self.cancellation is None
            self.cancellation = self.cancellation or Cancellation(by, reason)
            end = self._end
        if is_first and end:
            end()

    def on_cancel(self, end: Callable[[], None] | None) -> None:
        """Call `end` when the run is cancelled, or now when it was already."""
        with self._lock:
            self._end = end
        if self.is_cancelled and end:
            end()


_current: ContextVar[RunHandle | None] = ContextVar("vigil_current_run", default=None)
_only_run: RunHandle | None = None


def current_run() -> RunHandle | None:
    """The run that calls; None outside of a run (in a shell, a test or a web request)."""
    return _current.get() or _only_run


@contextmanager
def recording(handle: RunHandle) -> Iterator[RunHandle]:
    """Everything logged or printed inside belongs to `handle`."""
    token = _current.set(handle)
    try:
        yield handle
    finally:
        _current.reset(token)


def record_all(handle: RunHandle) -> None:
    """From now on all threads of this process belong to `handle`."""
    global _only_run
    _only_run = handle


UTC_FORMAT = ("%Y-%m-%dT%H:%M:%S", "%s.%03dZ")
"""Names its zone, so that pages can show it in the reader's."""


class RunLogHandler(logging.Handler):
    """Copies log records to the output of the run that wrote them."""

    def __init__(self) -> None:
        super().__init__()
        formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        formatter.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, UTC).timetuple()
        formatter.default_time_format, formatter.default_msec_format = UTC_FORMAT
        self.setFormatter(formatter)

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: an output has one of its own, and runs need not wait for one another."""
        self.emit(record)
        return True

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
