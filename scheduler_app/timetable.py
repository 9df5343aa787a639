"""When a job runs: cron expressions, intervals and one-off times, in a zone (pure; cronsim inside).

A cron expression has five fields (minute, hour, day of month, month, day of week); 0 and 7 are Sunday; where both day
fields are restricted either may match, as in Debian's cron. cronsim's `L` (last day), `5L` (last Friday), `MON#2` and
`LW` work, too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _

from scheduler_app import cron_spelling, wall_clock
from scheduler_app.cron_fields import ALIASES, single_values
from scheduler_app.errors import ScheduleError
from scheduler_app.states import DstFold, DstGap
from scheduler_app.wall_clock import DAY, INSTANT, zone_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONGEST = 1000
"""Characters of an expression."""
NEVER_AFTER = datetime(2200, 1, 1, tzinfo=UTC)

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
UNIT_NAMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
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
    if len(text) > LONGEST:
        text = _("has more than %(longest)d characters: write a shorter schedule.")
        raise ScheduleError(text % {"longest": LONGEST})
    if match := EVERY.match(text):
        return _canonical_interval(match)
    if match := AT.match(text):
        return f"at {_moment(match[1]).isoformat()}"
    cron = ALIASES.get(text.lower(), text.upper())
    if not _is_cron(cron):
        raise ScheduleError(cron_spelling.refusal(str(value), _is_schedule))
    cron = single_values(cron)
    try:
        next(CronSim(cron, datetime(2024, 1, 1)))  # noqa: DTZ001 - local time is meant
    except (StopIteration, CronSimError):
        text = _("%(value)r never fires: no year has such a day.")
        raise ScheduleError(text % {"value": value}) from None
    return cron


def _is_cron(cron: str) -> bool:
    """Whether each of five fields can be read, even if no day has them all."""
    try:
        return len(parts := cron.split()) == 5 and all(
            CronSim(" ".join(["*"] * number + [part] + ["*"] * (4 - number)), datetime(2024, 1, 1))  # noqa: DTZ001
            for number, part in enumerate(parts)
        )
    except CronSimError:
        return False


def _is_schedule(text: str) -> bool:
    return text in ALIASES or EVERY.match(text) is not None or _is_cron(text)


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
        zone_of(self.zone)

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
        return _next_cron(self, moment)

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
        return (self.anchor or EPOCH) + (self._steps(moment) + 1) * _period(self.expression)

    def _steps(self, moment: datetime) -> int:
        return (moment - (self.anchor or EPOCH)) // _period(self.expression)

    def _only(self) -> datetime:
        moment = _moment(self.expression.removeprefix("at "))
        if moment.tzinfo:
            return moment.astimezone(UTC)
        return wall_clock.instants(moment, zone_of(self.zone), DstGap.RUN_AFTER, DstFold.ONCE)[0]


@lru_cache(maxsize=65_536)
def _cached_canonical(expression: str) -> str:
    return canonical(expression)


@lru_cache(maxsize=4096)
def _period(interval: str) -> timedelta:
    _every, count, unit = interval.split()
    return timedelta(seconds=int(count) * UNITS_S[unit])


def _local_times(cron: str, after: datetime) -> CronSim:
    """The local times that match `cron`, later than `after`; endless."""
    times = copy(_parsed(cron))
    times.dt = after.replace(microsecond=0)
    return times


@lru_cache(maxsize=65_536)
def _parsed(cron: str) -> CronSim:
    return CronSim(cron, datetime(2024, 1, 1))  # noqa: DTZ001 - local time is meant


@lru_cache(maxsize=65_536)
def _is_fixed(cron: str) -> bool:
    """Whether minute and hour are given: a time of day, to which the DST policies apply.

    All other expressions go on by elapsed time, as in Debian's cron: whenever the clocks show a time that matches.
    """
    minute, hour, *_days = cron.split()
    return not minute.startswith("*") and not hour.startswith("*")


@lru_cache(maxsize=4096)
def _next_cron(schedule: Schedule, moment: datetime) -> datetime | None:
    zone = zone_of(schedule.zone)
    here = moment.astimezone(zone)
    try:
        local = next(_local_times(schedule.expression, here.replace(tzinfo=None, fold=0)))
        if wall_clock.is_smooth(zone, moment, local):
            return (local - (here.utcoffset() or timedelta())).replace(tzinfo=UTC)
        return _next_near_change(schedule, zone, moment)
    except StopIteration:
        return None


def _next_near_change(schedule: Schedule, zone: ZoneInfo, moment: datetime) -> datetime:
    """Goes through local times from the least that is still to come, so that both sides of a fold are seen."""
    least, _most = wall_clock.locals_between(moment, moment + DAY, zone)
    later: list[datetime] = []
    for local in _local_times(schedule.expression, least):
        found = _instants(schedule, local, zone)
        later += [instant for instant in found if instant > moment]
        if found and found[0] > moment:
            break
    return min(later)


def _instants(schedule: Schedule, local: datetime, zone: ZoneInfo) -> list[datetime]:
    if _is_fixed(schedule.expression):
        return wall_clock.instants(local, zone, schedule.gap, schedule.fold)
    return wall_clock.instants(local, zone, DstGap.SKIP, DstFold.TWICE)


def _count_cron(schedule: Schedule, after: datetime, until: datetime) -> int:
    zone = zone_of(schedule.zone)
    total, begin = 0, after
    while begin < until:
        day = wall_clock.local_of(begin + INSTANT, zone).date()
        end = min(wall_clock.end_of_day(begin, zone), until)
        if wall_clock.is_plain_day(day, zone):
            total += _count_plain(schedule.expression, day, begin, end, zone)
        else:
            total += _count_near_change(schedule, begin, end, zone)
        begin = end
    return total


def _count_plain(cron: str, day: date, begin: datetime, end: datetime, zone: ZoneInfo) -> int:
    """How many slots lie in (begin, end], a part of `day`, by looking into the sorted times of a day."""
    if not _parsed(cron).match_day(day) or day.month not in _parsed(cron).months:
        return 0
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    times = _minutes_of_day(*cron.split()[:2])
    ends = ((moment - midnight) / MINUTE for moment in (begin, end))
    before, until = (bisect_right(times, minutes) for minutes in ends)
    return until - before


@lru_cache(maxsize=128)
def _minutes_of_day(minute: str, hour: str) -> list[int]:
    parsed = _parsed(f"{minute} {hour} * * *")
    return [
        60 * hour + minute for hour in sorted(parsed.hours) for minute in sorted(parsed.minutes)
    ]


def _count_near_change(schedule: Schedule, begin: datetime, end: datetime, zone: ZoneInfo) -> int:
    """How many slots lie in (begin, end], by one pass through the local times between the two."""
    least, most = wall_clock.locals_between(begin, end, zone)
    found: set[datetime] = set()
    for local in takewhile(lambda local: local <= most, _local_times(schedule.expression, least)):
        found.update(_instants(schedule, local, zone))
    return sum(1 for instant in found if begin < instant <= end)
