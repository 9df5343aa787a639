"""What all commands of Vigil have in common.

Data goes to stdout, talk to stderr. Exit codes: 0 well, 1 findings, 2 usage or configuration, 3 database or
broker not reachable; 141 when the reader of the output has gone (`| head`), as of a program that SIGPIPE ended.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn, TextIO, cast

from django.core.checks import run_checks
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    OutputWrapper,
    SystemCheckError,
)
from django.db import Error

from scheduler_app import console_log, outages
from scheduler_app.checks import SettingError
from scheduler_app.closest import suggestion
from scheduler_app.texts import typed
from scheduler_app.visible import visible, visible_line

EXIT_CODES = "Exit codes: 0 well, 1 findings, 2 usage or configuration, 3 database not reachable."

FINDINGS, CONFIGURATION, UNREACHABLE = 1, 2, 3
READER_GONE = 141

_CHOICE = re.compile(r"invalid choice: (?P<name>.+?) \(choose from (?P<known>.+)\)")
_OPTION = re.compile(r"unrecognized arguments: (?P<name>--[\w-]+)")


class VisibleOutput(OutputWrapper):
    """Shows control characters as text. When its reader has gone, the command ends with READER_GONE."""

    def write(  # type: ignore[override]  # the stubs take it for a stream, whose write has one argument
        self,
        msg: str = "",
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        self.write_as_is(visible(msg), style_func, ending)

    def write_as_is(
        self,
        msg: str,
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        """Write what was made visible before, such as a table with colours."""
        try:
            super().write(msg, style_func, ending)
        except BrokenPipeError:
            self._end()

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._end()

    def _end(self) -> NoReturn:
        """Later writes, such as those of the interpreter's end, go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, cast("TextIO", self._out).fileno())
        os.close(nowhere)
        raise SystemExit(READER_GONE)


class VigilCommand(BaseCommand):
    """A thin command: parse, call one function, show. Subclasses write `work(**options)`."""

    errors: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions whose text is the message for the caller; they end the command with 2."""
    log_level: ClassVar[int] = logging.WARNING
    """What goes to stderr where the project's LOGGING has no handler for Vigil's loggers."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.epilog = EXIT_CODES
        _suggest_on_errors(parser)
        return parser

    def check(self, *args: Any, **options: Any) -> None:
        """As in all commands, but faults in settings are only shown: what is right of the settings is in force."""
        try:
            super().check(*args, **options)
        except SystemCheckError as error:
            found = run_checks(databases=options.get("databases"))
            if any(one.is_serious() and not isinstance(one, SettingError) for one in found):
                error.returncode = CONFIGURATION
                raise
            self.stderr.write(str(error), style_func=lambda text: text)

    def run_from_argv(self, argv: list[str]) -> None:
        self._make_visible()
        try:
            super().run_from_argv(argv)
        finally:
            self.stdout.flush()
            self.stderr.flush()

    def handle(self, *args: Any, **options: Any) -> str | None:
        self._make_visible()
        if os.environ.get("NO_COLOR"):
            self.style = type(self.style)()
        console_log.install(self.log_level)
        try:
            code = self.work(**options)
        except self.errors as error:
            raise CommandError(visible(str(error)), returncode=CONFIGURATION) from error
        except Error as error:
            is_outdated = _is_outdated(error)
            if not is_outdated and not outages.is_outage(error):
                raise
            text = f"The database cannot be used: {visible(_first_line(error))}"
            if is_outdated:
                text += ". Bring its tables up to date: manage.py migrate"
            raise CommandError(text, returncode=UNREACHABLE) from error
        if code:
            raise SystemExit(code)
        return None

    def work(self, **options: Any) -> int | None:
        """Do it; returns the exit code (None: 0)."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Talk to the person: stderr."""
        self.stderr.write(text, style_func=lambda line: line)

    def show_table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Rows for a person; plain text when stdout is no terminal."""
        from rich.console import Console  # 60 ms that commands without a table do not spend
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(_cell(value)) for value in row))
        is_terminal = self.stdout.isatty()
        console = Console(
            file=io.StringIO(),
            force_terminal=is_terminal,
            width=shutil.get_terminal_size().columns if is_terminal else 200,
        )
        with console.capture() as captured:
            console.print(table)
        self._visible_stdout().write_as_is(captured.get())

    def show_json(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str))

    def _make_visible(self) -> None:
        self.stdout, self.stderr = _visible(self.stdout), _visible(self.stderr)

    def _visible_stdout(self) -> VisibleOutput:
        self._make_visible()
        assert isinstance(self.stdout, VisibleOutput)
        return self.stdout


def _visible(out: OutputWrapper) -> VisibleOutput:
    if isinstance(out, VisibleOutput):
        return out
    made = VisibleOutput(cast("TextIO", out._out), ending=out.ending)
    made.style_func = out.style_func
    return made


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else visible(str(value))


def _is_outdated(error: Error) -> bool:
    """Whether a table or a column is missing."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in ("42P01", "42703") or "no such " in str(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _suggest_on_errors(parser: CommandParser) -> None:
    """Let `parser` and its verbs name the closest option or choice for a mistyped one."""

    def error(message: str) -> NoReturn:
        text = " ".join(filter(None, (visible_line(message), _suggestion(parser, message))))
        CommandParser.error(parser, text)
        sys.exit(CONFIGURATION)  # not reached

    parser.error = error  # type: ignore[method-assign]
    for action in parser._actions:
        for verb in action.choices.values() if isinstance(action.choices, dict) else ():
            _suggest_on_errors(verb)


def _suggestion(parser: CommandParser, message: str) -> str:
    if found := _CHOICE.search(message):
        return suggestion(
            found["name"].strip("'"), (one.strip("' ") for one in found["known"].split(","))
        )
    if found := _OPTION.search(message):
        return suggestion(found["name"], parser._option_string_actions)
    return ""


def number(text: str) -> int:
    """A row's number as it was typed or pasted, with or without the # that pages show."""
    return int(typed(text).removeprefix("#"))


def add_format(parser: CommandParser, *choices: str) -> None:
    """The option `--format`, the first of `choices` being the default."""
    parser.add_argument(
        "--format", choices=choices, default=choices[0], help=f"default: {choices[0]}"
    )
