from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from scheduler_app import verify_report
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.errors import JobFileError
from scheduler_app.verify import verify


class Command(VigilCommand):
    help = (
        "Check every job of the job file: that it can be called with its parameters, that its schedule and owner are "
        "known, and that the living schedulers have it registered. Exit 1 when something is to be dealt with."
    )
    errors = (JobFileError,)

    def add_arguments(self, parser: CommandParser) -> None:
        add_format(parser, "table", "json", "markdown")
        parser.add_argument(
            "--log", action="store_true",
            help="write a dated line into the tracking log and archive the report",
        )  # fmt: skip
        parser.add_argument(
            "--offline", action="store_true",
            help="check only what needs no database and no running scheduler (for CI)",
        )  # fmt: skip

    def work(self, **options: Any) -> int:
        offline = options["offline"]
        now = datetime.now(UTC) if offline else db_now()
        with contextlib.redirect_stdout(sys.stderr):  # modules may print when they are imported
            report = verify(now, offline=offline)
        self._show(report, options["format"])
        if options["log"]:
            self.say(f"Kept as {verify_report.keep(report)}.")
        self.say(verify_report.summary(report))
        return 0 if report.ok else FINDINGS

    def _show(self, report: verify_report.Report, how: str) -> None:
        if how == "json":
            self.show_json(report.as_dict())
        elif how == "markdown":
            self.stdout.write(verify_report.markdown(report))
        else:
            rows = [*map(verify_report.job_cells, report.jobs)]
            self.show_table(verify_report.job_columns(), rows)
            for kind, found in ((_("finding"), report.findings), (_("note"), report.notes)):
                for one in found:
                    self.stdout.write(f"{kind}: [{one.kind}] {one}")
