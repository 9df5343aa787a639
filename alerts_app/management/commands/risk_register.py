from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from alerts_app import risk_register
from scheduler_app.clock import db_now
from scheduler_app.commands import VigilCommand, add_format
from scheduler_app.errors import UnknownJobError
from scheduler_app.texts import typed


class Command(VigilCommand):
    help = (
        "Keep the risk register (a Markdown table, see RISK_REGISTER): add a dated "
        "row for a job that failed, or list what is registered."
    )
    errors = (UnknownJobError, OSError)

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="add|list")
        add = actions.add_parser(
            "add", help="add a row: the job's owner and last error are filled in"
        )
        add.add_argument("--job", required=True, metavar="ID", type=typed, help="the job's id")
        add.add_argument("--text", default="", help="what happened, in your own words")
        add_format(actions.add_parser("list", help="show all rows"), "table", "json")

    def work(self, **options: Any) -> None:
        if options["action"] == "add":
            risk = risk_register.add(options["job"], now=db_now(), text=options["text"])
            self.stdout.write(risk.id)
            self.say(f"{risk.id} for {risk.job} (owner {risk.owner}) in {risk_register.path()}.")
        elif options["format"] == "json":
            self.show_json([asdict(risk) for risk in risk_register.all_risks()])
        else:
            self.show_table(risk_register.COLUMNS, [r.cells for r in risk_register.all_risks()])
