"""Readable lines on stderr for projects whose LOGGING has no handler for Vigil's loggers; Django's default has none."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from scheduler_app.masking import mask

NAMES = ("scheduler_app", "alerts_app", "notifications_app", "NotificationDispatcher")
STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "asctime",
    "message",
    "taskName",
}


class EventFormatter(logging.Formatter):
    """`2026-12-01 02:40:00Z INFO job_run_success job_id=nightly_report duration_ms=12.3`, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [
            f"{name}={_shown(value)}"
            for name, value in record.__dict__.items()
            if name not in STANDARD
        ]
        second = datetime.fromtimestamp(record.created, UTC)
        begin = f"{second:%Y-%m-%d %H:%M:%S}Z {record.levelname}"
        line = mask(" ".join((begin, _printable(record.getMessage()), *fields)))
        if record.exc_info:
            line += f"\n{mask(self.formatException(record.exc_info))}"
        return line


def install(level: int) -> None:
    """Give each of Vigil's loggers a handler for `level` and above, unless the project's LOGGING has one for it."""
    for name in NAMES:
        logger = logging.getLogger(name)
        if logger.hasHandlers() or _is_configured_below(name):
            continue
        handler = logging.StreamHandler()
        handler.setLevel(level)
        handler.setFormatter(EventFormatter())
        logger.addHandler(handler)
        if logger.level == logging.NOTSET:
            logger.setLevel(level)


def _is_configured_below(name: str) -> bool:
    """Whether a logger below `name` has a handler, whose lines would come twice."""
    known = logging.Logger.manager.loggerDict.items()
    return any(
        child.startswith(f"{name}.") and isinstance(logger, logging.Logger) and logger.handlers
        for child, logger in known
    )


def _shown(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() and text and " " not in text else repr(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)
