from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.errors import NotificationError
from notifications_app.forecast import Told, who_is_told
from scheduler_app import mirror
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.errors import UnknownJobError
from scheduler_app.texts import typed


class Command(VigilCommand):
    help = "Say who would be told, by which channel and when, if a job failed. Sends nothing."
    errors = (NotificationError, UnknownJobError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=typed, help="the job's id")
        parser.add_argument(
            "--at", help="local time of the site, like 2026-12-24T03:00 (default: now)"
        )
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        zone = ZoneInfo(conf.site_time_zone())
        at = _moment(options["at"], zone) if options["at"] else db_now()
        lines = who_is_told(mirror.get(options["job"]), at)
        if options["format"] == "json":
            self.show_json(
                [{name: getattr(line, name) for name in Told.__slots__} for line in lines]
            )
        else:
            rows = [(t.person, t.channel, t.address, _when(t, zone), t.note) for t in lines]
            columns = (_("person"), _("channel"), _("address"), _("told at"), _("note"))
            self.show_table(columns, rows)
        return 0 if any(line.at for line in lines) else FINDINGS


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong = _("--at %(text)r: write a time like 2026-12-24T03:00.") % {"text": text}
        raise NotificationError(wrong) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _when(line: Told, zone: ZoneInfo) -> str:
    return f"{line.at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}" if line.at else _("never")
