"""How many messages a channel that costs money has sent today, over all workers. The one writer of DailyCount."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import F

from notifications_app import conf
from notifications_app.channels.base import Channel
from notifications_app.models import DailyCount
from scheduler_app import bulk
from scheduler_app.transactions import brief

ALL = ""


def reserve(channel: Channel, person: str, now: datetime) -> str:
    """Book one message to `person` before it is sent; "" when it may be sent, else why not.

    The day is that of the site's zone. What was booked and then certainly not sent is given back by `release`.
    """
    caps = channel.daily_caps
    if not caps:
        return ""
    day = _day(now)
    with brief():
        _add(channel.name, day, person, 0)
        rows = DailyCount.objects.select_for_update().filter(channel=channel.name, day=day)
        # in one order, or two workers wait for each other
        found = rows.filter(person__in=(ALL, person)).order_by("person")
        totals = dict(found.values_list("person", "total"))
        refusal = caps.refusal(to_person=totals[person], to_all=totals[ALL])
        if not refusal:
            _add(channel.name, day, person, 1)
    return refusal


def release(channel: Channel, person: str, now: datetime) -> None:
    """The message that `reserve` booked has certainly not left. In the caller's transaction."""
    if channel.daily_caps:
        booked = DailyCount.objects.filter(channel=channel.name, day=_day(now), total__gt=0)
        booked.filter(person__in=(ALL, person)).update(total=F("total") - 1)


def _add(channel: str, day: date, person: str, count: int) -> None:
    bulk.add_to(
        DailyCount,
        [
            {"channel": channel, "day": str(day), "person": who, "total": count}
            for who in (ALL, person)
        ],
        keys=("channel", "day", "person"),
        sums=("total",),
    )


def _day(now: datetime) -> date:
    return now.astimezone(ZoneInfo(conf.site_time_zone())).date()
