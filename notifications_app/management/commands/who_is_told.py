from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.errors import NotificationError
from notifications_app.forecast import Told, week_of, who_is_told
from notifications_app.week import HOUR, Hour, Week
from scheduler_app import mirror
from scheduler_app.clock import db_now
from scheduler_app.commands import FINDINGS, VigilCommand, add_format
from scheduler_app.errors import UnknownJobError
from scheduler_app.models import ScheduledJob
from scheduler_app.texts import typed


class Command(VigilCommand):
    help = "Say who would be told, by which channel and when, if a job failed. Sends nothing."
    errors = (NotificationError, UnknownJobError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=typed, help="the job's id")
        parser.add_argument(
            "--at", help="local time of the site, like 2026-12-24T03:00 (default: now)"
        )
        parser.add_argument(
            "--week", action="store_true", help="each hour of the week that begins then"
        )
        add_format(parser, "table", "json")

    def work(self, **options: Any) -> int:
        zone = ZoneInfo(conf.site_time_zone())
        at = _moment(options["at"], zone) if options["at"] else db_now()
        job = mirror.get(options["job"])
        if options["week"]:
            return self._show_week(job, week_of(job, at), options["format"], zone)
        lines = who_is_told(job, at)
        if options["format"] == "json":
            self.show_json(
                [{name: getattr(line, name) for name in Told.__slots__} for line in lines]
            )
        else:
            rows = [(t.person, t.channel, t.address, _when(t, zone), t.note) for t in lines]
            columns = (_("person"), _("channel"), _("address"), _("told at"), _("note"))
            self.show_table(columns, rows)
        return 0 if any(line.at for line in lines) else FINDINGS

    def _show_week(self, job: ScheduledJob, week: Week, format: str, zone: ZoneInfo) -> int:
        if format == "json":
            self.show_json(
                {
                    "job_id": job.pk,
                    "owner": job.owner,
                    "severity": job.severity,
                    "is_reached": week.is_reached,
                    "why_not": week.audience.obstacles,
                    "in_words": week.in_words(),
                    "hours": [
                        {name: getattr(hour, name) for name in Hour.__slots__}
                        for hour in week.hours
                    ],
                }
            )
        else:
            columns = (_("from"), _("until"), _("a failure is told"))
            self.show_table(columns, list(_stretches(week, zone)))
            for words in week.in_words():
                self.say(words)
            if week.audience.obstacles:
                self.say(week.audience.obstacles)
        return 0 if week.is_reached else FINDINGS


def _stretches(week: Week, zone: ZoneInfo) -> Iterator[tuple[str, str, str]]:
    """Hours alike in one row."""
    for told, hours in groupby(week.hours, lambda hour: _told(hour, zone)):
        first, *others = hours
        end = (others[-1] if others else first).begin + HOUR
        yield _clock(first.begin, zone), _clock(end, zone), told


def _told(hour: Hour, zone: ZoneInfo) -> str:
    if not hour.is_reached:
        return _("never")
    if hour.waits_until is None:
        return _("at once")
    return _("at %(time)s at the latest") % {"time": _clock(hour.waits_until, zone)}


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong = _("--at %(text)r: write a time like 2026-12-24T03:00.") % {"text": text}
        raise NotificationError(wrong) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _when(line: Told, zone: ZoneInfo) -> str:
    return f"{line.at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}" if line.at else _("never")
