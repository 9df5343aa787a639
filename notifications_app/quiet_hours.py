"""A daily window in which a person is left alone, by the clock on that person's wall (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from notifications_app.spans import Span, union

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` until `end` in `zone`, every day; across midnight where `end` is earlier. Equal times: never."""

    start: time
    end: time
    zone: str

    def ends_at(self, now: datetime) -> datetime | None:
        """When the window that holds `now` is over, in UTC; None when `now` lies in none.

        The wall clock decides: an end that does not exist (spring) is when the gap ends, one that exists twice
        (autumn) the first of the two that is still ahead.
        """
        zone = _zone(self.zone)
        wall = now.astimezone(zone)
        if zone is None or not self._holds(wall.time()):
            return None
        day = wall.date() if wall.time() < self.end else wall.date() + DAY
        local = datetime.combine(day, self.end)
        found = [_instant(local, zone, fold) for fold in (0, 1)]
        return next((moment for moment in found if moment > now), None)

    def spans(self, begin: datetime, end: datetime) -> list[Span]:
        """The parts of `begin` until `end` that lie in the window, in UTC and in order."""
        zone = _zone(self.zone)
        if zone is None:
            return []
        cuts = {begin, end, *self._cuts(zone, begin, end)}
        pieces = pairwise(sorted(cut for cut in cuts if begin <= cut <= end))
        return union(piece for piece in pieces if self._holds(piece[0].astimezone(zone).time()))

    def _cuts(self, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Every instant at which the window can begin or end."""
        yield from _clock_changes(zone, begin, end)
        day = (begin - DAY).astimezone(zone).date()
        while day <= (end + DAY).astimezone(zone).date():
            for clock in (self.start, self.end):
                local = datetime.combine(day, clock)
                yield from (_instant(local, zone, fold) for fold in (0, 1))
            day += DAY

    def _holds(self, clock: time) -> bool:
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


@lru_cache(maxsize=256)
def _clock_changes(zone: ZoneInfo, begin: datetime, end: datetime) -> tuple[datetime, ...]:
    """The instants from `begin` until `end` at which the offset of `zone` changes; at most one an hour."""
    hours = int((end - begin) / HOUR) + 1
    steps = [begin + number * HOUR for number in range(hours + 1)]
    return tuple(
        _change(zone, low, high)
        for low, high in pairwise(steps)
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset()
    )


def _zone(name: str) -> ZoneInfo | None:
    """None for a name that the machine does not know (any more): better told at night than not at all."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _instant(local: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """The instant of `local`; a time in a gap is moved forward to where the gap ends."""
    moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    before, after = (local.replace(tzinfo=zone, fold=f).utcoffset() or timedelta() for f in (0, 1))
    low = (local - max(before, after)).replace(tzinfo=UTC)
    high = (local - min(before, after)).replace(tzinfo=UTC)
    return _change(zone, low, high)


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """When the offset changes between `low` and `high`."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
