"""When a job rests: the days of its calendar and its blackout windows, as the clocks of its zone show them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from scheduler_app import blackouts, calendars, wall_clock
from scheduler_app.blackouts import Window
from scheduler_app.calendars import Calendar, Days
from scheduler_app.states import Reason
from scheduler_app.timetable import Schedule
from scheduler_app.wall_clock import DAY, INSTANT


@dataclass(frozen=True, slots=True)
class Span:
    """The instants in (`after`, `until`]; `reason` says why a job rests in all of them, NONE that it runs."""

    after: datetime
    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Rests:
    """The rests of one job. A slot that falls into one does not run; its reason is that of the calendar first."""

    zone: ZoneInfo
    calendar: Calendar | None
    windows: tuple[Window, ...]

    def why(self, moment: datetime) -> Reason:
        """Why the job rests at an instant; NONE where it does not."""
        local = wall_clock.local_of(moment, self.zone)
        if self.calendar and not self.calendar.is_open(local.date()):
            return Reason.CALENDAR
        if any(window.holds(local) for window in self.windows):
            return Reason.BLACKOUT
        return Reason.NONE

    def spans(self, after: datetime, until: datetime) -> Iterator[Span]:
        """(after, until], cut where the job begins or ends to rest. Costs by the day, not by the slot."""
        begin, reason = after, self.why(after + INSTANT)
        for edge in self._edges(after + INSTANT, until):
            if (then := self.why(edge)) != reason:
                yield Span(begin, edge - INSTANT, reason)
                begin, reason = edge - INSTANT, then
        if begin < until:
            yield Span(begin, until, reason)

    def open_slots(
        self, schedule: Schedule, after: datetime, until: datetime
    ) -> Iterator[datetime]:
        """The slots of `schedule` in (after, until] in which the job does not rest, ascending."""
        for span in self.spans(after, until):
            if span.reason == Reason.NONE:
                yield from schedule.between(span.after, span.until)

    def _edges(self, begin: datetime, until: datetime) -> Iterator[datetime]:
        """The instants in (begin, until] at which a rest may begin or end, ascending."""
        day, last = (wall_clock.local_of(moment, self.zone).date() for moment in (begin, until))
        ahead: set[datetime] = set()
        for n in range(-1, (last - day).days + 2):
            ahead.update(self._edges_of(day + n * DAY))
            # a fold may hold a midnight: edges of two days that follow each other are out of order there
            safe = wall_clock.midnight(day + (n - 1) * DAY, self.zone)
            ready = sorted(edge for edge in ahead if edge <= safe)
            ahead.difference_update(ready)
            yield from (edge for edge in ready if begin < edge <= until)
        yield from sorted(edge for edge in ahead if begin < edge <= until)

    def _edges_of(self, day: date) -> Iterator[datetime]:
        midnight = datetime.combine(day, time())
        for local in {midnight, *(edge for window in self.windows for edge in window.edges(day))}:
            yield from wall_clock.both_instants(local, self.zone)
        first, last = (
            wall_clock.both_instants(local, self.zone)[0] for local in (midnight, midnight + DAY)
        )
        if last - first != DAY:
            yield wall_clock.change_between(first, last, self.zone)


def of(zone: str, calendar: str, windows: Iterable[str], days: Days) -> Rests:
    """The rests of a job with these fields. Raises ScheduleError."""
    return Rests(
        wall_clock.zone_of(zone),
        calendars.parse(calendar, days) if calendar else None,
        tuple(blackouts.parse(text) for text in windows),
    )
