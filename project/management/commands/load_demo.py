from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from project.demo import loading
from project.demo.errors import DemoError
from scheduler_app.commands import CONFIGURATION, VigilCommand


class Command(VigilCommand):
    help = (
        "Add six jobs named demo.*, which succeed, fail, are slow, skip, or are switched off, with a month of runs, "
        "figures and alerts, and go on running under the scheduler. They belong to a user “demo” who cannot log in and "
        "is told nothing by any channel: no notification is made, no channel's figures change. Loading twice changes "
        "nothing; --remove takes all of it away and nothing else."
    )
    errors = (DemoError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="take the demo out again")
        parser.add_argument("--dry-run", action="store_true", help="say what would change")
        parser.add_argument(
            "--days", type=int, default=30, help="how long a history, 1 to 90 (default 30)"
        )

    def work(self, **options: Any) -> None:
        if not 1 <= options["days"] <= 90:
            raise CommandError("--days has to be from 1 to 90.", returncode=CONFIGURATION)
        if options["remove"]:
            self._remove(options["dry_run"])
        else:
            self._load(options["days"], options["dry_run"])

    def _load(self, days: int, dry_run: bool) -> None:
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("Writing history", total=None)
            loaded = loading.load(
                days=days, dry_run=dry_run,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )  # fmt: skip
        if not loaded.jobs:
            self.say("The demo is loaded already; --remove takes it out.")
            return
        verb = "Would add" if dry_run else "Added"
        self.say(f"{verb} {loaded.jobs} jobs, {loaded.runs} runs and {loaded.alerts} alerts.")

    def _remove(self, dry_run: bool) -> None:
        counts = {name: count for name, count in loading.remove(dry_run=dry_run).items() if count}
        self.show_table(("what", "rows"), list(counts.items()))
        verb = "would be removed" if dry_run else "are removed"
        self.say(f"{sum(counts.values())} rows of the demo {verb}.")
