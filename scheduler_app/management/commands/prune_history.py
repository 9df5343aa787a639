from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import retention
from scheduler_app.clock import db_now
from scheduler_app.commands import VigilCommand, add_format


class Command(VigilCommand):
    help = (
        "Delete old runs, notifications and alerts, a thousand rows a transaction. Figures stay as they are. "
        "With --dry-run alerts whose notifications would go are not counted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, delete nothing")
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> None:
        counts = retention.prune(db_now(), dry_run=options["dry_run"])
        if options["format"] == "json":
            self.show_json(counts)
            return
        self.show_table(("what", "to go" if options["dry_run"] else "deleted"), [*counts.items()])
