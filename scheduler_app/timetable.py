"""When a job runs: cron expressions, intervals and one-off times, in a zone (pure; cronsim inside).

A cron expression has five fields (minute, hour, day of month, month, day of week); 0 and 7 are Sunday; where both day
fields are restricted either may match, as in Debian's cron. cronsim's `L` (last day), `5L` (last Friday), `MON#2` and
`LW` work, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _

from scheduler_app.errors import ScheduleError
from scheduler_app.states import DstFold, DstGap

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
NEVER_AFTER = datetime(2200, 1, 1, tzinfo=UTC)

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
UNIT_NAMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MAPPING = (("minute", "0"), ("hour", "0"), ("day", "1"), ("month", "1"), ("day_of_week", "*"))
EVERY = re.compile(r"^every\s+(\d+)?\s*([a-z]+)$", re.IGNORECASE)
AT = re.compile(r"^at\s+(.+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slots:
    """How many slots a span has, and the first and the last of them."""

    count: int
    first: datetime | None = None
    last: datetime | None = None


def canonical(value: str | Mapping[str, object]) -> str:
    """The one text for a schedule that a person wrote as text or as a mapping.

    Raises ScheduleError, whose text says what to write. Expressions that never fire are refused.
    """
    text = _from_mapping(value) if isinstance(value, Mapping) else " ".join(value.split())
    if match := EVERY.match(text):
        return _canonical_interval(match)
    if match := AT.match(text):
        return f"at {_moment(match[1]).isoformat()}"
    cron = ALIASES.get(text.lower(), text.upper())
    if len(cron.split()) != 5:
        text = _(
            "%(value)r is no schedule: write five fields like '30 2 * * *' (minute, hour, day, month, day of week), "
            "an interval like 'every 15 s', or one time like 'at 2026-12-01T02:00'."
        )
        raise ScheduleError(text % {"value": value})
    try:
        next(CronSim(cron, datetime(2024, 1, 1)))  # noqa: DTZ001 - local time is meant
    except StopIteration:
        text = _("%(value)r never fires: no year has such a day.")
        raise ScheduleError(text % {"value": value}) from None
    except CronSimError as error:
        text = _("%(value)r: %(error)s. The fields are minute hour day month weekday.")
        raise ScheduleError(text % {"value": value, "error": error}) from None
    return cron


def _canonical_interval(match: re.Match[str]) -> str:
    unit = UNIT_NAMES.get(match[2].lower())
    if unit is None:
        text = _("%(text)r: the unit has to be one of s, min, h, d.")
        raise ScheduleError(text % {"text": match[0]})
    if not (count := int(match[1] or 1)) or count * UNITS_S[unit] > 366 * 86_400:
        text = _("%(text)r: the interval has to be from 1 s to 366 d.")
        raise ScheduleError(text % {"text": match[0]})
    return f"every {count} {unit}"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong = _("'at %(time)s': write a time like 'at 2026-12-01T02:00'.")
        raise ScheduleError(wrong % {"time": text}) from None
    if not EPOCH.year < moment.year < NEVER_AFTER.year:
        wrong = _("'at %(time)s': the year has to be between 1970 and 2200.")
        raise ScheduleError(wrong % {"time": text})
    return moment


def _from_mapping(fields: Mapping[str, object]) -> str:
    """Fields below the smallest one given take their least value, those above it `*`."""
    names = [name for name, _least in MAPPING]
    if unknown := sorted(set(fields) - set(names)):
        text = _("%(name)r is no field of a schedule: use %(known)s.")
        raise ScheduleError(text % {"name": unknown[0], "known": ", ".join(names)})
    given = [number for number, name in enumerate(names) if name in fields]
    if not given:
        raise ScheduleError(_("An empty mapping is no schedule: write {'hour': 2, 'minute': 30}."))
    smallest = min(given) if min(given) < 4 else 2
    return " ".join(
        str(fields.get(name, least if number < smallest else "*"))
        for number, (name, least) in enumerate(MAPPING)
    )


@dataclass(frozen=True, slots=True)
class Schedule:
    """The slots of one canonical `expression` in `zone`; intervals count from `anchor`. All times are aware UTC."""

    expression: str
    zone: str = "UTC"
    anchor: datetime | None = None
    gap: DstGap = DstGap.RUN_AFTER
    fold: DstFold = DstFold.ONCE

    def __post_init__(self) -> None:
        if self.canonical != self.expression:
            text = _("%(text)r is not canonical: write %(canonical)r.")
            facts = {"text": self.expression, "canonical": self.canonical}
            raise ScheduleError(text % facts)
        _zone(self.zone)

    @property
    def canonical(self) -> str:
        return _cached_canonical(self.expression)

    @property
    def is_interval(self) -> bool:
        return self.expression.startswith("every ")

    def next_after(self, moment: datetime) -> datetime | None:
        """The first slot strictly after `moment`; None when there is none any more."""
        if self.is_interval:
            return self._step(moment)
        if self.expression.startswith("at "):
            only = self._only()
            return only if only > moment else None
        return _next_cron(self.expression, _zone(self.zone), self.gap, self.fold, moment)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The slots in (after, until], ascending."""
        slot = self.next_after(after)
        while slot is not None and slot <= until:
            yield slot
            slot = self.next_after(slot)

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        return list(islice(self.between(after, NEVER_AFTER), count))

    def count(self, after: datetime, until: datetime) -> Slots:
        """How many slots lie in (after, until]; whole days are counted without being enumerated."""
        if until <= after or not (first := self.next_after(after)) or first > until:
            return Slots(0)
        last = self.take_last(until, 1, after)[0]
        return Slots(self._count(after, until), first, last)

    def take_last(self, until: datetime, count: int, after: datetime) -> list[datetime]:
        """The last `count` slots in (after, until], ascending."""
        span = timedelta(minutes=5)
        while True:
            begin = max(after, until - span)
            found = list(self.between(begin, until))
            if len(found) >= count or begin == after:
                return found[-count:]
            span *= 4

    def _count(self, after: datetime, until: datetime) -> int:
        if self.is_interval:
            return self._steps(until) - self._steps(after)
        if self.expression.startswith("at "):
            return 1
        return _count_cron(self, after, until)

    def _step(self, moment: datetime) -> datetime:
        return (self.anchor or EPOCH) + (self._steps(moment) + 1) * self._every()

    def _steps(self, moment: datetime) -> int:
        return (moment - (self.anchor or EPOCH)) // self._every()

    def _every(self) -> timedelta:
        _every, count, unit = self.expression.split()
        return timedelta(seconds=int(count) * UNITS_S[unit])

    def _only(self) -> datetime:
        moment = _moment(self.expression.removeprefix("at "))
        if moment.tzinfo:
            return moment.astimezone(UTC)
        return _instants(moment, _zone(self.zone), DstGap.RUN_AFTER, DstFold.ONCE)[0]


@lru_cache(maxsize=65_536)
def _cached_canonical(expression: str) -> str:
    return canonical(expression)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        text = _("%(name)r is no time zone: write a name like 'Asia/Shanghai' or 'UTC'.")
        raise ScheduleError(text % {"name": name}) from None


def _is_fixed(cron: str) -> bool:
    """Whether minute and hour are given: a time of day, to which the DST policies apply.

    All other expressions go on by elapsed time, as in Debian's cron.
    """
    minute, hour, *_days = cron.split()
    return not minute.startswith("*") and not hour.startswith("*")


def _next_cron(
    cron: str, zone: ZoneInfo, gap: DstGap, fold: DstFold, moment: datetime
) -> datetime | None:
    try:
        if not _is_fixed(cron):
            return next(CronSim(cron, moment.astimezone(zone))).astimezone(UTC)
        here = moment.astimezone(zone)
        slot = next(CronSim(cron, here.replace(tzinfo=None, fold=0)))
        if _is_smooth(zone, moment - DAY, slot):
            return (slot - (here.utcoffset() or timedelta())).replace(tzinfo=UTC)
        return _next_near_transition(cron, zone, gap, fold, moment)
    except StopIteration:
        return None


def _is_smooth(zone: ZoneInfo, begin: datetime, slot: datetime) -> bool:
    """Whether one offset holds at `begin`, a day later and at the local time `slot` (which is then unique)."""
    offset = begin.astimezone(zone).utcoffset()
    return (
        offset
        == (begin + DAY).astimezone(zone).utcoffset()
        == slot.replace(tzinfo=zone).utcoffset()
        == slot.replace(tzinfo=zone, fold=1).utcoffset()
    )


def _next_near_transition(
    cron: str, zone: ZoneInfo, gap: DstGap, fold: DstFold, moment: datetime
) -> datetime:
    """Enumerates local times from a day before `moment`, so that both sides of a fold are seen."""
    begin = (moment - DAY).astimezone(zone).replace(tzinfo=None, fold=0)
    later: list[datetime] = []
    for local in CronSim(cron, begin):
        instants = _instants(local, zone, gap, fold)
        later += [instant for instant in instants if instant > moment]
        if instants and instants[0] > moment:
            break
    return min(later)


def _instants(local: datetime, zone: ZoneInfo, gap: DstGap, fold: DstFold) -> list[datetime]:
    """The instants of a local time: one, by the policies none or two, ascending."""
    first, second = (local.replace(tzinfo=zone, fold=side).astimezone(UTC) for side in (0, 1))
    if first == second:
        return [first]
    if first < second:
        return [first, second] if fold == DstFold.TWICE else [first]
    return [] if gap == DstGap.SKIP else [_end_of_gap(local, zone, second, first)]


def _end_of_gap(local: datetime, zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The instant of the transition: where the offset changes between `low` and `high`."""
    before = low.astimezone(zone).utcoffset()
    while high - low > INSTANT:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _count_cron(schedule: Schedule, after: datetime, until: datetime) -> int:
    zone = _zone(schedule.zone)
    sim = CronSim(schedule.expression, datetime(2024, 1, 1))  # noqa: DTZ001 - only its fields are used
    total, begin = 0, after
    while begin < until:
        day = (begin + INSTANT).astimezone(zone).date()
        end = min(_midnight(day + DAY, zone), until)
        if not _is_plain_day(day, zone):
            total += sum(1 for _slot in schedule.between(begin, end))
        elif sim.match_day(day):
            total += _times_until(sim, day, end.astimezone(zone))
            total -= _times_until(sim, day, begin.astimezone(zone))
        begin = end
    return total


def _times_until(sim: CronSim, day: date, here: datetime) -> int:
    """How many times of `day`, on which `sim` fires, are not after the local time `here` (or the day before)."""
    if here.date() < day:
        return 0
    hours = sum(hour < here.hour for hour in sim.hours)
    minutes = sum(minute <= here.minute for minute in sim.minutes)
    return hours * len(sim.minutes) + (minutes if here.hour in sim.hours else 0)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The last instant before `day` begins, so that (midnight, next midnight] is the day."""
    return datetime.combine(day, time(), zone).astimezone(UTC) - INSTANT


def _is_plain_day(day: date, zone: ZoneInfo) -> bool:
    """No transition from the day before until the day after."""
    days = (day - DAY, day, day + DAY, day + 2 * DAY)
    return len({datetime.combine(each, time(), zone).utcoffset() for each in days}) == 1
