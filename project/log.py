"""Logging of every process: JSON lines in `scheduler.log`, and on stdout for the services.

Wired as `LOGGING_CONFIG`. A management command keeps stdout for its data: what it logs goes to the file, and to stderr
from WARNING up.
"""

from __future__ import annotations

import logging
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from project.log_background import BackgroundLog
from project.log_fields import json_line, of_record
from project.log_file import NOTHING, QuietFailure, SharedLogFile
from scheduler_app import fork_client
from scheduler_app.visible import visible, visible_line

FILE_NAME = "scheduler.log"
STDOUT_VARIABLE = "VIGIL_LOG_STDOUT"
SERVICES = ("runscheduler", "notification_worker")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("json", "console")
# they tell each job, message or request a second time, httpx with the whole URL
TALKATIVE = ("apscheduler", "celery", "httpx", "httpcore", "asyncio")


class StreamLog(QuietFailure, logging.StreamHandler):  # type: ignore[type-arg]
    """A stream that may be closed at the other end."""

    def write_lines(self, lines: Sequence[str]) -> None:
        try:
            self.stream.write("".join(f"{line}{self.terminator}" for line in lines))
            self.flush()
        except Exception:  # noqa: BLE001 - as in every logging handler: a line must not break its caller
            self.handleError(NOTHING)


class StderrLog(StreamLog):
    """Whatever `sys.stderr` is at the time, as a test or a job may have replaced it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class LineFormatter(logging.Formatter):
    """Makes a record's line once, for the file and for stdout."""

    def __init__(self, render: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        line: str | None = record.__dict__.get("_line")
        if line is None:
            line = record.__dict__["_line"] = self._render(record)
        return line


def configure(options: Mapping[str, str]) -> None:
    """Set up logging for this process; may be called again.

    `options`: DIR (folder of `scheduler.log`), FORMAT (json or console), LEVEL. Raises ValueError for an unknown FORMAT
    or LEVEL. A folder that cannot be written is told once on stderr and breaks nothing.
    """
    level = _checked(options["LEVEL"].upper(), LEVELS, "LOG_LEVEL")
    style = _checked(options["FORMAT"].lower(), FORMATS, "LOG_FORMAT")
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, QuietFailure)]:
        root.removeHandler(old)
        old.close()
    root.setLevel(level)
    # no line says where it was written, nor by which thread (see "Optimization" in logging's documentation)
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    line = formatter(style)
    for handler in _handlers(Path(options["DIR"]) / FILE_NAME):
        handler.setFormatter(line)
        root.addHandler(handler)
    _take_over("django", "django.server")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def to_stdout() -> None:
    """From now on this process and its children log to stdout instead of warnings to stderr."""
    os.environ[STDOUT_VARIABLE] = "1"
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, StderrLog)]:
        root.removeHandler(old)
        new = StreamLog(sys.stdout)
        new.setFormatter(old.formatter)
        root.addHandler(new)


def formatter(style: str) -> logging.Formatter:
    """`style` json: one line a record, its keys `timestamp level logger event`, every `extra`, `exception`."""
    if style == "json":
        return LineFormatter(json_line)
    console = structlog.dev.ConsoleRenderer(colors=False)
    return LineFormatter(lambda record: console(None, "", _for_reading(of_record(record))))


def _for_reading(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without control characters; only a traceback has further lines, which are indented."""
    shown = {
        key: visible_line(value) if isinstance(value, str) else value
        for key, value in fields.items()
    }
    if "exception" in fields:
        shown["exception"] = textwrap.indent(visible(fields["exception"]), "    ")
    return shown


def _handlers(path: Path) -> tuple[logging.Handler, ...]:
    file = SharedLogFile(path)
    is_service = _is_service(sys.argv)
    is_child = sys.argv[-1] == fork_client.ROLE  # which may be killed, and then no line may wait
    if is_service and not is_child:
        return (BackgroundLog([file, StreamLog(sys.stdout)]),)
    if is_service or os.environ.get(STDOUT_VARIABLE) == "1":
        return file, StreamLog(sys.stdout)
    to_person = StderrLog()
    to_person.setLevel(logging.WARNING)
    return file, to_person


def _is_service(command: Sequence[str]) -> bool:
    """manage.py with one of SERVICES, or a Celery worker (`celery ...` or `python -m celery ...`)."""
    program, *arguments = command or [""]
    if program.endswith(("/celery", "/celery/__main__.py")):
        return "worker" in arguments
    return bool(arguments) and arguments[0] in SERVICES


def _take_over(*names: str) -> None:
    """Django gives these loggers handlers of their own, which would say everything twice."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _checked(value: str, known: tuple[str, ...], name: str) -> str:
    if value not in known:
        raise ValueError(f"{name} is {value!r}: use one of {', '.join(known)}.")
    return value
