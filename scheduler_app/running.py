"""What a job may ask for and say while it runs: `current_run()`, `SkipRun`, and all that it logs or prints.

Also how it hears that it is to end: `RunCancelled`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from scheduler_app.errors import RunCancelled, SkipRun
from scheduler_app.output import OutputBuffer
from scheduler_app.states import Reason

__all__ = ["RunCancelled", "RunHandle", "SkipRun", "current_run"]


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
    streams: dict[str, TextIO] = field(default_factory=dict, repr=False)
    """stdout and stderr of this run (see `capture.py`)."""
    replaced_streams: dict[str, TextIO] = field(default_factory=dict, repr=False)
    """What the body has put in their place."""
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


def is_process_of_run() -> bool:
    """Whether this process was made for one run."""
    return _only_run is not None
