"""What a process forked from one of ours must not inherit, whoever forks it (`os.fork`, `multiprocessing`).

A forked process is no second scheduler or worker: SIGTERM ends it, and it does not hold the lock of its parent. A body
in a thread may not fork at all: the copy has one thread, and whatever lock another thread held at that moment (of
SQLite, of an import, of logging) is held in it for ever.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.utils.translation import gettext as _

from scheduler_app import running
from scheduler_app.errors import ForkError

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_handlers: list[Any] = []
_files: list[IO[str]] = []


def on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` at SIGTERM or SIGINT; in forked processes these signals keep their usual meaning."""

    def handler(*_: object) -> None:
        stop()

    _handlers.append(handler)
    for number in STOP_SIGNALS:
        signal.signal(number, handler)


@contextmanager
def refused_to_bodies_in_threads() -> Iterator[None]:
    """While this process executes runs: `os.fork`, which `multiprocessing` calls, raises ForkError in their threads."""
    real = {name: getattr(os, name) for name in ("fork", "forkpty")}
    for name, function in real.items():
        setattr(os, name, _guarded(function))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def _guarded(fork: Callable[[], Any]) -> Callable[[], Any]:
    def guarded() -> Any:
        if running.current_run() is not None and not running.is_process_of_run():
            raise ForkError(
                _(
                    "A body that runs in a thread cannot fork the process (os.fork, multiprocessing). "
                    "Write 'isolation': 'process' for this job."
                )
            )
        return fork()

    return guarded


def close_in_forks(file: IO[str]) -> None:
    """Close `file` (which holds a lock) in every forked process."""
    _files.append(file)


def _leave_parent() -> None:
    for number in STOP_SIGNALS:
        if signal.getsignal(number) in _handlers:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    for file in _files:
        file.close()
    _files.clear()


os.register_at_fork(after_in_child=_leave_parent)
