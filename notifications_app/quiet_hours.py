"""A daily window in which a person is left alone, by the clock on that person's wall (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


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

    def _holds(self, clock: time) -> bool:
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


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
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
