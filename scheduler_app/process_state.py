"""State of the whole process that a body in a thread may change: restored after each run, and reported with it.

Bodies that run in threads share one process. Values that cannot be kept apart for each run (the working directory, the
locale, the configuration of logging, ...) are read once before the first run, and compared after each.
"""

from __future__ import annotations

import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

OURS = ("scheduler_app", "alerts_app", "notifications_app", "project", "NotificationDispatcher")
WATCHED = (logging.root, *map(logging.getLogger, OURS))
PROBE = logging.getLogger(__name__)
"""One of the loggers that `dictConfig` disables unless it is told otherwise."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM)


@dataclass(frozen=True, slots=True)
class Setting:
    """`restore` raises OSError, ValueError or RuntimeError where the value cannot be restored."""

    name: Promise
    read: Callable[[], Any]
    restore: Callable[[Any], object]


class ProcessState:
    """The values that this process had when this object was made."""

    def __init__(self) -> None:
        self._after_run = [(one, one.read()) for one in SETTINGS]
        self._urgent = [(LOGGING, LOGGING.read())]

    def restore(self) -> list[str]:
        """After a body: undo what has changed; returns a sentence for each change."""
        return [sentence for one, kept in self._after_run if (sentence := _restore(one, kept))]

    def restore_urgent(self) -> list[str]:
        """While bodies are running: undo what would harm the scheduler itself."""
        return [sentence for one, kept in self._urgent if (sentence := _restore(one, kept))]


def _restore(setting: Setting, kept: Any) -> str:
    if setting.read() == kept:
        return ""
    name = {"name": setting.name}
    try:
        setting.restore(kept)
    except (OSError, ValueError, RuntimeError):
        return (
            _(
                "During this run a body changed for the whole process: %(name)s. It cannot be restored."
            )
            % name
        )
    return (
        _("During this run a body changed for the whole process: %(name)s. It was restored.") % name
    )


def _logging() -> tuple[Any, ...]:
    return logging.root.manager.disable, PROBE.disabled, [_of_logger(one) for one in WATCHED]


def _of_logger(logger: logging.Logger) -> tuple[Any, ...]:
    handlers = tuple(logger.handlers)
    levels = [(one.level, tuple(one.filters)) for one in handlers]
    return logger.level, logger.disabled, logger.propagate, handlers, tuple(logger.filters), levels


def _restore_logging(kept: tuple[Any, ...]) -> None:
    disable, _probe, states = kept
    logging.disable(disable)
    for one in logging.root.manager.loggerDict.values():
        if isinstance(one, logging.Logger):
            one.disabled = False
    for logger, state in zip(WATCHED, states, strict=True):
        level, logger.disabled, logger.propagate, handlers, filters, levels = state
        logger.setLevel(level)
        logger.handlers[:], logger.filters[:] = handlers, filters
        for handler, (handler_level, handler_filters) in zip(handlers, levels, strict=True):
            handler.setLevel(handler_level)
            handler.filters[:] = handler_filters
            logging._addHandlerRef(handler)  # type: ignore[attr-defined]  # so that it is flushed at exit


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - after every run
    except FileNotFoundError:
        return ""


def _signal_handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def _restore_signal_handlers(kept: list[Any]) -> None:
    """Raises ValueError outside of the main thread, which alone can change them."""
    for number, handler in zip(SIGNALS, kept, strict=True):
        signal.signal(number, handler)


def _restore_warnings(kept: list[Any]) -> None:
    warnings.filters[:] = kept  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _timer() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


class _Umask:
    """Reads it without changing it, as other threads make files meanwhile; -1 where there is no /proc."""

    _pid, _status = -1, -1

    def __call__(self) -> int:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            with suppress(OSError):
                self._status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        head = os.pread(self._status, 256, 0) if self._status >= 0 else b""
        return int(head.partition(b"\nUmask:")[2].partition(b"\n")[0] or b"-1", 8)


LOGGING = Setting(gettext_lazy("the configuration of logging"), _logging, _restore_logging)
SETTINGS = (
    LOGGING,
    Setting(gettext_lazy("the umask"), _Umask(), os.umask),
    Setting(gettext_lazy("the working directory"), _working_directory, os.chdir),
    Setting(
        gettext_lazy("the locale"),
        lambda: locale.setlocale(locale.LC_ALL),
        lambda kept: locale.setlocale(locale.LC_ALL, kept),
    ),
    Setting(gettext_lazy("signal handlers"), _signal_handlers, _restore_signal_handlers),
    Setting(
        gettext_lazy("an alarm timer"),
        _timer,
        lambda _kept: signal.setitimer(signal.ITIMER_REAL, 0),
    ),
    Setting(
        gettext_lazy("the default timeout of sockets"),
        socket.getdefaulttimeout,
        socket.setdefaulttimeout,
    ),
    Setting(
        gettext_lazy("the filters of warnings"), lambda: list(warnings.filters), _restore_warnings
    ),
    Setting(gettext_lazy("the recursion limit"), sys.getrecursionlimit, sys.setrecursionlimit),
    Setting(
        gettext_lazy("garbage collection"),
        gc.isenabled,
        lambda kept: gc.enable() if kept else gc.disable(),
    ),
    Setting(
        gettext_lazy("the limit of open files"),
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
        lambda kept: resource.setrlimit(resource.RLIMIT_NOFILE, kept),
    ),
)
