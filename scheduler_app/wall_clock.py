"""Instants and what the clocks of a zone show: its gaps, its folds and its days (pure).

`local` times are naive; instants are aware UTC. No zone is taken to change its offset twice within one day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from scheduler_app.errors import ScheduleError
from scheduler_app.states import DstFold, DstGap

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


def zone_of(name: str) -> ZoneInfo:
    """Raises ScheduleError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        text = _("%(name)r is no time zone: write a name like 'Asia/Shanghai' or 'UTC'.")
        raise ScheduleError(text % {"name": name}) from None


def local_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks show at an instant."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def both_instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """By the offset before and by the one after a change; equal where `local` exists just once.

    The first is the later one where `local` does not exist.
    """
    first, second = (local.replace(tzinfo=zone, fold=side).astimezone(UTC) for side in (0, 1))
    return first, second


def instants(local: datetime, zone: ZoneInfo, gap: DstGap, fold: DstFold) -> list[datetime]:
    """The instants of a local time: one, by the policies none or two, ascending."""
    first, second = both_instants(local, zone)
    if first == second:
        return [first]
    if first < second:
        return [first, second] if fold == DstFold.TWICE else [first]
    return [] if gap == DstGap.SKIP else [change_between(second, first, zone)]


def change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant from which on the offset is no longer that at `low`, and at the latest `high`."""
    before = low.astimezone(zone).utcoffset()
    while high - low > INSTANT:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def locals_between(begin: datetime, end: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The clocks show more than the first and at most the second in (begin, end], which is at most a day."""
    sides = (begin.astimezone(zone), end.astimezone(zone))
    offsets = [side.utcoffset() or timedelta() for side in sides]
    return begin.replace(tzinfo=None) + min(offsets), end.replace(tzinfo=None) + max(offsets)


def is_smooth(zone: ZoneInfo, moment: datetime, local: datetime) -> bool:
    """Whether one offset holds at `moment`, for a day from then on, and at `local` (which is then unique).

    If the clocks went back within the day, a time that matched before `moment` could still come a second time.
    """
    offset = moment.astimezone(zone).utcoffset()
    return (
        offset
        == (moment + DAY).astimezone(zone).utcoffset()
        == local.replace(tzinfo=zone).utcoffset()
        == local.replace(tzinfo=zone, fold=1).utcoffset()
    )


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The last instant before `day` begins, so that (midnight, next midnight] is the day."""
    return datetime.combine(day, time(), zone).astimezone(UTC) - INSTANT


def end_of_day(moment: datetime, zone: ZoneInfo) -> datetime:
    """The last instant of the day to which the instant after `moment` belongs."""
    day = local_of(moment + INSTANT, zone).date()
    while (end := midnight(day + DAY, zone)) <= moment:  # a fold that holds a midnight
        day += DAY
    return end


def is_plain_day(day: date, zone: ZoneInfo) -> bool:
    """No change from the day before until the day after."""
    days = (day - DAY, day, day + DAY, day + 2 * DAY)
    return len({datetime.combine(each, time(), zone).utcoffset() for each in days}) == 1
