"""Windows in which a job does not start, as the clocks of its zone show them (pure).

A window is one of

    Sat,Sun                             whole days of the week
    22:00-06:00                         a time of each day; over midnight where it ends before it begins
    Mon-Fri 12:00-13:00                 a time of these days; one over midnight begins on them
    2026-12-24/2027-01-02               whole days, the last one included
    2026-12-24T18:00/2027-01-02T06:00   from one time to another

A window holds its begin and not its end: at 06:00 a job starts again. It is held against what the clocks show: it is
longer where they are put back inside of it, and shorter where they are put forward.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from django.utils.translation import gettext as _

from scheduler_app.errors import ScheduleError

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = frozenset(range(7))
DAY = timedelta(days=1)
NOTHING = timedelta()

LOOSE = re.compile(r" ?([,/-]) ?")
TIMES = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")
WEEKLY = re.compile(rf"(?:([A-Za-z,-]+)(?: |$))?({TIMES.pattern})?")


@dataclass(frozen=True, slots=True)
class Weekly:
    """Begins on each of `weekdays` (Monday is 0) so long after midnight, and ends so long after the same midnight."""

    weekdays: frozenset[int]
    begin: timedelta
    end: timedelta

    def holds(self, local: datetime) -> bool:
        midnight = datetime.combine(local, time())
        return any(
            (midnight - days).weekday() in self.weekdays
            and self.begin <= local - midnight + days < self.end
            for days in (NOTHING, DAY)
        )

    def edges(self, day: date) -> Iterator[datetime]:
        midnight = datetime.combine(day, time())
        yield from (midnight, midnight + self.begin, midnight + self.end % DAY)

    def __str__(self) -> str:
        times = "" if self._is_whole else f"{_clock(self.begin)}-{_clock(self.end)}"
        days = "" if self.weekdays == EVERY_DAY else _words(self.weekdays)
        return " ".join(filter(None, (days, times)))

    @property
    def _is_whole(self) -> bool:
        return (self.begin, self.end) == (NOTHING, DAY)

    @property
    def is_always(self) -> bool:
        return self._is_whole and self.weekdays == EVERY_DAY


@dataclass(frozen=True, slots=True)
class Once:
    """From `begin` up to `end`, local times."""

    begin: datetime
    end: datetime

    def holds(self, local: datetime) -> bool:
        return self.begin <= local < self.end

    def edges(self, day: date) -> Iterator[datetime]:
        yield from (edge for edge in (self.begin, self.end) if edge.date() == day)

    def __str__(self) -> str:
        begin = _short(self.begin, self.begin)
        end = _short(self.end, self.end - DAY)
        return begin if begin == end else f"{begin}/{end}"


Window = Weekly | Once


@lru_cache(maxsize=4096)
def parse(text: str) -> Window:
    """Raises ScheduleError, whose text says what to write."""
    words = LOOSE.sub(r"\1", " ".join(text.split()))
    try:
        window = _once(words) if "/" in words or words[:4].isdigit() else _weekly(words)
    except ValueError:
        wrong = _(
            "%(text)r is no window: write 'Sat,Sun', '22:00-06:00', 'Mon-Fri 12:00-13:00', '2026-12-24/2027-01-02' "
            "or '2026-12-24T18:00/2027-01-02T06:00'."
        )
        raise ScheduleError(wrong % {"text": text}) from None
    _refuse_senseless(window, text)
    return window


def canonical(text: str) -> str:
    """The one text for a window. Raises ScheduleError, whose text says what to write."""
    return str(parse(text))


def _refuse_senseless(window: Window, text: str) -> None:
    if isinstance(window, Once):
        wrong = "" if window.begin < window.end else _("%(text)r ends before it begins.")
    elif window.is_always:
        wrong = _("%(text)r leaves no time in which to run: switch the job off instead.")
    else:
        wrong = ""
    if wrong:
        raise ScheduleError(wrong % {"text": text})


def _weekly(text: str) -> Weekly:
    match = WEEKLY.fullmatch(text)
    if not text or match is None:
        raise ValueError(text)
    days = _weekdays(match[1]) if match[1] else EVERY_DAY
    if not match[2]:
        return Weekly(days, NOTHING, DAY)
    begin, end = _since_midnight(match[3], match[4]), _since_midnight(match[5], match[6])
    if begin in (end, DAY):
        raise ValueError(text)
    return Weekly(days, begin, end if end > begin else end + DAY)


def _since_midnight(hour: str, minute: str) -> timedelta:
    if (hour, minute) == ("24", "00"):
        return DAY
    clock = time(int(hour), int(minute))
    return timedelta(hours=clock.hour, minutes=clock.minute)


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.title().split(","):
        first, dash, last = part.partition("-")
        begin = WEEKDAYS.index(first)
        length = (WEEKDAYS.index(last) - begin) % 7 if dash else 0
        found.update((begin + n) % 7 for n in range(length + 1))
    return frozenset(found)


def _once(text: str) -> Once:
    first, slash, last = text.replace(" ", "T").partition("/")
    last = last if slash else first
    return Once(_local(first), _local(last) + (NOTHING if "T" in last else DAY))


def _local(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo or moment.second or moment.microsecond or moment.year < 1970:
        raise ValueError(text)
    return moment


def _clock(since: timedelta) -> str:
    minutes = since // timedelta(minutes=1)
    minutes -= 1440 if minutes > 1440 else 0
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _short(edge: datetime, day: datetime) -> str:
    return f"{day:%Y-%m-%d}" if edge.time() == time() else f"{edge:%Y-%m-%dT%H:%M}"


def _words(weekdays: Iterable[int]) -> str:
    """Three and more days running as a range."""
    runs: list[list[int]] = []
    for day in sorted(weekdays):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_word(run) for run in runs)


def _word(run: list[int]) -> str:
    names = [WEEKDAYS[day] for day in run]
    return f"{names[0]}-{names[-1]}" if len(run) > 2 else ",".join(names)
