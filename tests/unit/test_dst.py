"""Every change of the clocks from 2020 to 2035, against a second implementation that shares nothing with the first.

It knows no offsets: it writes down what the clocks show at every UTC minute around a change, and reads the slots off
that list by the definition in docs/scheduling.md. `scripts/test --long` takes every change of every zone; the short
form takes each kind of change (size, time of day, weekday) once.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from scheduler_app.states import DstFold, DstGap
from scheduler_app.timetable import Schedule

LONG = bool(os.environ.get("VIGIL_TEST_LONG"))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
INSTANT = timedelta(microseconds=1)
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
AROUND = 26 * HOUR
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass(frozen=True, slots=True)
class Change:
    """The clocks of `zone` go from `before` to `after` at `moment`; both are what they show then."""

    zone: str
    moment: datetime
    before: datetime
    after: datetime

    @property
    def kind(self) -> tuple[object, ...]:
        return (self.after - self.before, self.before.time(), self.before.weekday())

    @property
    def odd(self) -> tuple[datetime, datetime]:
        """The local times that do not exist, or exist twice: from the first up to the second."""
        return min(self.before, self.after), max(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Rule:
    """A cron expression, and the local times that it means."""

    cron: str
    means: Callable[[datetime], bool]
    is_time_of_day: bool


def shown(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def changes_of(name: str) -> Iterator[Change]:
    """Down to the minute, in steps; no zone moves its clocks forth and back within a week."""
    zone = ZoneInfo(name)
    weeks = jumps(zone, FIRST, LAST, 7 * DAY)
    for day in (day for week in weeks for day in jumps(zone, week, week + 7 * DAY, DAY)):
        for hour in jumps(zone, day, day + DAY, HOUR):
            for minute in jumps(zone, hour, hour + HOUR, MINUTE):
                moment = minute + MINUTE
                yield Change(name, moment, shown(zone, minute) + MINUTE, shown(zone, moment))


def jumps(zone: ZoneInfo, begin: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """From where on the clocks go another way than `step` within `step`."""
    old = shown(zone, begin)
    while begin < end:
        new = shown(zone, begin + step)
        if new - old != step:
            yield begin
        begin, old = begin + step, new


@cache
def changes() -> list[Change]:
    every = [change for name in sorted(available_timezones()) for change in changes_of(name)]
    if LONG:
        same = {(change.moment, change.before, change.after): change for change in every}
    else:
        same = {change.kind: change for change in every}
    return list(same.values())


def rules_around(change: Change) -> list[Rule]:
    begin, end = change.odd
    middle = begin + (end - begin) // 2
    middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
    hour, minute, weekday = middle.hour, middle.minute, WEEKDAYS[middle.weekday()]

    def daily(time: datetime) -> Rule:
        cron = f"{time.minute} {time.hour} * * *"
        return Rule(cron, lambda t: (t.hour, t.minute) == (time.hour, time.minute), True)

    def same_day(t: datetime) -> bool:
        return t.weekday() == middle.weekday()

    return [
        daily(begin),
        daily(middle),
        daily(end - MINUTE),
        daily(end),
        Rule(f"{minute} {hour} * * {weekday}",
             lambda t: same_day(t) and (t.hour, t.minute) == (hour, minute), True),
        Rule(f"{minute} {hour} {middle.day} {middle.month} *",
             lambda t: t.date() == middle.date() and (t.hour, t.minute) == (hour, minute), True),
        Rule("5,35 0-23 * * *", lambda t: t.minute in (5, 35), True),
        Rule(f"*/20 {hour} * * {weekday}",
             lambda t: same_day(t) and t.hour == hour and t.minute % 20 == 0, False),
        Rule(f"*/20 {hour} {middle.day} {middle.month} *",
             lambda t: t.date() == middle.date() and t.hour == hour and t.minute % 20 == 0, False),
        Rule(f"{minute} */2 * * *", lambda t: t.minute == minute and t.hour % 2 == 0, False),
        Rule("*/15 * * * *", lambda t: t.minute % 15 == 0, False),
        Rule("0 * * * *", lambda t: t.minute == 0, False),
    ]  # fmt: skip


class Clocks:
    """What the clocks show at every minute around a change."""

    def __init__(self, change: Change) -> None:
        self.begin, self.end = change.moment - AROUND, change.moment + AROUND
        zone, moment = ZoneInfo(change.zone), self.begin - DAY
        self.seen: list[tuple[datetime, datetime]] = []
        while moment <= self.end + DAY:
            self.seen.append((moment, shown(zone, moment)))
            moment += MINUTE
        self.when: dict[datetime, list[datetime]] = {}
        for moment, local in self.seen:
            self.when.setdefault(local, []).append(moment)

    def slots(self, rule: Rule, gap: DstGap, fold: DstFold) -> list[datetime]:
        if rule.is_time_of_day:
            found = self._times_of_day(rule, gap, fold)
        else:
            found = {moment for moment, local in self.seen if rule.means(local)}
        return sorted(moment for moment in found if self.begin < moment <= self.end)

    def _times_of_day(self, rule: Rule, gap: DstGap, fold: DstFold) -> set[datetime]:
        """Each local time for itself, whether or not a clock ever shows it."""
        found: set[datetime] = set()
        local, last = self.seen[0][1], self.seen[-1][1]
        while local <= last:
            if rule.means(local):
                if moments := self.when.get(local):
                    found.update(moments if fold == DstFold.TWICE else moments[:1])
                elif gap == DstGap.RUN_AFTER:
                    found.add(next(moment for moment, here in self.seen if here > local))
            local += MINUTE
        return found


def test_there_are_changes_of_every_kind_to_look_at():
    sizes = {(change.after - change.before).total_seconds() / 60 for change in changes()}
    assert {60, -60, 30, -30, 120, -120} <= sizes
    assert any(change.odd[0].time() == datetime.min.time() for change in changes())
    assert len(changes()) >= (500 if LONG else 30)


@pytest.mark.timeout(3600 if LONG else 300)
def test_every_change_of_every_zone_is_as_the_policies_say():
    for change in changes():
        clocks = Clocks(change)
        for rule in rules_around(change):
            policies = [(gap, fold) for gap in DstGap for fold in DstFold]
            for gap, fold in policies if rule.is_time_of_day else policies[:1]:
                wanted = clocks.slots(rule, gap, fold)
                schedule = Schedule(rule.cron, change.zone, gap=gap, fold=fold)
                assert_same(schedule, clocks, wanted, change)


def assert_same(schedule: Schedule, clocks: Clocks, wanted: list[datetime], change: Change) -> None:
    told = f"{schedule} around {change}"
    assert list(schedule.between(clocks.begin, clocks.end)) == wanted, told
    beyond = schedule.next_after(clocks.end)
    for minutes in (-61, -60, -31, -30, -1, 0, 1, 29, 30, 59, 60, 61):
        moment = change.moment + minutes * MINUTE
        for begin in (moment, moment - INSTANT):
            at = bisect_right(wanted, begin)
            assert schedule.next_after(begin) == [*wanted[at:], beyond][0], told
        if minutes in (-30, 0, 30, 61):
            at = bisect_right(wanted, moment)
            assert schedule.count(clocks.begin, moment).count == at, told
            assert schedule.count(moment, clocks.end).count == len(wanted) - at, told
    assert schedule.take_last(clocks.end, 5, clocks.begin) == wanted[-5:], told
