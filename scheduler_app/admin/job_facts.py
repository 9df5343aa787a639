"""What the page of a job tells beside its form: when it runs, and how it differs from the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from django.contrib.admin.utils import label_for_field
from django.utils import timezone
from django.utils.formats import date_format

from scheduler_app import conf, drift
from scheduler_app.drift import Difference
from scheduler_app.errors import ScheduleError
from scheduler_app.models import ScheduledJob
from scheduler_app.wall_clock import zone_of


def differences(job: ScheduledJob) -> list[Difference]:
    """With the fields called as the form calls them."""
    return [
        replace(one, field=str(label_for_field(one.field, ScheduledJob)))
        for one in drift.differences(job)
    ]


def on_the_wall(moments: Iterable[datetime], zone: str) -> list[str]:
    """As the clocks of `zone` (the site's where it is empty) show them."""
    try:
        place = zone_of(zone or conf.site_time_zone())
    except ScheduleError:  # told beside it
        place = zone_of("UTC")
    return [date_format(timezone.localtime(moment, place), "D Y-m-d H:i:s T") for moment in moments]
