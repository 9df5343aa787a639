"""What all commands of Vigil have in common.

Data goes to stdout, talk to stderr. Exit codes: 0 well, 1 findings, 2 usage or configuration, 3 database or
broker not reachable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import IO, Any, ClassVar, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, ProgrammingError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scheduler_app.texts import typed

EXIT_CODES = "Exit codes: 0 well, 1 findings, 2 usage or configuration, 3 database not reachable."

FINDINGS, CONFIGURATION, UNREACHABLE = 1, 2, 3


class VigilCommand(BaseCommand):
    """A thin command: parse, call one function, show. Subclasses write `work(**options)`."""

    errors: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions whose text is the message for the caller; they end the command with 2."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.epilog = EXIT_CODES
        return parser

    def handle(self, *args: Any, **options: Any) -> str | None:
        if os.environ.get("NO_COLOR"):
            self.style = type(self.style)()
        try:
            code = self.work(**options)
        except self.errors as error:
            raise CommandError(str(error), returncode=CONFIGURATION) from error
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            text = f"The database cannot be used: {_first_line(error)}"
            if "no such table" in text or isinstance(error, ProgrammingError):
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
        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text("" if value is None else str(value)) for value in row))
        out = cast("IO[str]", self.stdout)
        console = Console(file=out, width=None if out.isatty() else 200)
        console.print(table)

    def show_json(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def number(text: str) -> int:
    """A row's number as it was typed or pasted, with or without the # that pages show."""
    return int(typed(text).removeprefix("#"))


def add_format(parser: CommandParser, *choices: str) -> None:
    """The option `--format`, the first of `choices` being the default."""
    parser.add_argument(
        "--format", choices=choices, default=choices[0], help=f"default: {choices[0]}"
    )
