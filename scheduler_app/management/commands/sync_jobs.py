from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import conf, jobfile, mirror
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.errors import JobFileError, StaleFileError


class Command(VigilCommand):
    help = (
        "Bring the database up to the job file. Values changed in the admin stay and are listed as drift; "
        "jobs that left the file are switched off and keep their history."
    )
    errors = (JobFileError, StaleFileError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; exit 1 on drift or a difference"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would change")
        parser.add_argument(
            "--force", action="store_true", help="take this file even if a newer version was synced"
        )
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        file = jobfile.load(conf.get().JOB_FILE)
        force = options["force"] or options["check"]
        act = mirror.preview if options["check"] or options["dry_run"] else mirror.sync
        report = act(file, force=force)
        if options["format"] == "json":
            self.show_json({name: getattr(report, name) for name in report.__slots__})
        else:
            rows = list(_rows(report))
            self.show_table(("job", "what", "fields"), rows)
            self.say(f"{len(file.jobs)} jobs in {file.module}, {len(rows)} differences.")
        return FINDINGS if options["check"] and (report.drift or not report.is_quiet) else 0


def _rows(report: mirror.SyncReport) -> list[tuple[str, str, str]]:
    return [
        *((job, "new", "") for job in report.created),
        *((job, "changed in the file", ", ".join(f)) for job, f in report.changed.items()),
        *((job, "left the file", "") for job in report.orphaned),
        *((job, "is back in the file", "") for job in report.returned),
        *((job, "next slot too late", "") for job in report.late),
        *((job, "drift", ", ".join(f)) for job, f in report.drift.items()),
    ]
