"""What the page of a job tells beside its form: when it runs, and how it differs from the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.utils import label_for_field
from django.utils import timezone
from django.utils.formats import date_format

from scheduler_app import conf, epochs, mirror
from scheduler_app.models import ScheduledJob, ScheduleEpoch, Timetable


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as in the file; `by`, `at` and `why` are empty where nobody changed it here."""

    field: str
    in_file: Any
    in_force: Any
    by: str = ""
    at: datetime | None = None
    why: str = ""


def differences(job: ScheduledJob) -> list[Difference]:
    found = []
    for name, (in_file, in_force) in mirror.drift_of(job).items():
        change = job.overrides.get(name, {})
        found.append(
            Difference(
                field=str(label_for_field(name, ScheduledJob)),
                in_file=in_file,
                in_force=in_force,
                by=change.get("by", ""),
                at=datetime.fromisoformat(change["at"]) if "at" in change else None,
                why=change.get("why", ""),
            )
        )
    return found


def next_runs(job: ScheduledJob, count: int) -> list[datetime]:
    """The next `count` slots of the definition in force; empty when the job is disabled or broken."""
    row = Timetable.objects.filter(pk=job.pk).first()
    epoch = ScheduleEpoch.objects.filter(pk=row.epoch).first() if row else None
    if row is None or row.next_run_time is None or epoch is None:
        return []
    schedule = epochs.schedule_of(epoch.definition, epoch.opened_at)
    return [row.next_run_time, *schedule.next_times(row.next_run_time, count - 1)]


def on_the_wall(moments: Iterable[datetime], zone: str) -> list[str]:
    """As the clocks of `zone` (the site's where it is empty) show them."""
    place = ZoneInfo(zone or conf.site_time_zone())
    return [date_format(timezone.localtime(moment, place), "D Y-m-d H:i:s T") for moment in moments]
