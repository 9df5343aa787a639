from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import recount
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.recount import Difference


class Command(VigilCommand):
    help = "Compare every total with the rows that it counts. Reads the whole history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="put right what is wrong")
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        found = recount.fix() if options["fix"] else recount.differences()
        self._show(found, options["format"])
        if options["fix"]:
            self.say(f"{len(found)} totals were wrong and are right now.")
            return 0
        self.say(f"{len(found)} totals differ from their rows.")
        return FINDINGS if found else 0

    def _show(self, found: Sequence[Difference], how: str) -> None:
        columns = ("figure", "of", "counts", "shown", "true")
        rows = [(one.figure, *one.key, one.shown, one.true) for one in found]
        if how == "json":
            self.show_json([dict(zip(columns, row, strict=True)) for row in rows])
        elif rows:
            self.show_table(columns, rows)
