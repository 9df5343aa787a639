"""On which days a job runs: public holidays, weekends, make-up workdays and days of one's own (pure; holidays inside).

A calendar is written RULE:PLACE. PLACE is a country ("CN"), a part of one ("DE-BY"), an exchange ("XSHG"), or a name of
one's own in lower case ("acme"), which has Saturday and Sunday off and else only the days that were entered for it.
RULE says on which days a job runs, see `Rule`; a place without a rule means its working days.

`Days` are days that somebody entered, by place: they win over the published ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

from django.utils.translation import gettext as _

from scheduler_app.errors import ScheduleError

Days = Mapping[str, Mapping[date, bool]]
"""Whether a day is a working day, by the place (or whole calendar) for which it was entered."""

PUBLISHED = re.compile(r"([A-Z][A-Z0-9]+)(?:-(\w[\w ]*))?")
OWN = re.compile(r"[a-z][a-z0-9_.-]{2,49}")
YEARS_LOOKED_AT = 5
"""A place that decreed days in so many years running is taken to do so each year."""


class Rule(StrEnum):
    """On which days a job runs."""

    WORKDAYS = "workdays"
    """On working days: neither a weekend (unless it is made up for) nor a public holiday."""
    DAYS_OFF = "days-off"
    """On all other days."""
    HOLIDAYS = "holidays"
    """On public holidays alone."""
    NOT_HOLIDAYS = "not-holidays"
    """On every day that is no public holiday, weekends included."""


@dataclass(frozen=True, slots=True)
class Year:
    """The days of a year on which nobody works, and the public holidays."""

    off: frozenset[date]
    holidays: frozenset[date]


@dataclass(frozen=True, slots=True)
class Calendar:
    """`entered` has the working days (True) and days off (False) that win over the published ones."""

    rule: Rule
    place: str
    entered: Mapping[date, bool]

    def is_open(self, day: date) -> bool:
        """Whether a job of this calendar runs on `day`."""
        works = self.entered.get(day)
        if self.rule in (Rule.WORKDAYS, Rule.DAYS_OFF):
            off = day in year_of(self.place, day.year).off if works is None else not works
            return off == (self.rule == Rule.DAYS_OFF)
        holiday = day in year_of(self.place, day.year).holidays if works is None else not works
        return holiday == (self.rule == Rule.HOLIDAYS)


def parse(text: str, days: Days) -> Calendar:
    """Raises ScheduleError, whose text says what to write."""
    rule, place = _split(text)
    entered: dict[date, bool] = {}
    for key in keys_of(text):
        entered.update(days.get(key, {}))
    return Calendar(rule, place, entered)


def is_own(text: str) -> bool:
    """Whether nothing but what people enter is known of the place. Raises ScheduleError."""
    return OWN.fullmatch(_split(text)[1]) is not None


def canonical(text: str) -> str:
    """The one text for a calendar. Raises ScheduleError, whose text says what to write."""
    rule, place = _split(" ".join(text.split()))
    return f"{rule}:{place}"


def canonical_key(text: str) -> str:
    """The one text for what days may be entered for: a place, or a whole calendar. Raises ScheduleError."""
    text = " ".join(text.split())
    place = _split(text)[1]
    return canonical(text) if ":" in text else place


def keys_of(text: str) -> tuple[str, ...]:
    """For what days may be entered that count for a calendar; the later one wins. Bears any text."""
    place = text.rpartition(":")[2]
    return tuple(dict.fromkeys((place.partition("-")[0], place, text)))


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[Rule, str]:
    rules = {str(rule): rule for rule in Rule}
    said, colon, place = text.rpartition(":")
    rule = rules.get(said) if colon else Rule.WORKDAYS
    if rule is None or not place or place in rules:
        wrong = _(
            "%(text)r is no calendar: write one like 'workdays:CN', with one of the rules %(rules)s."
        )
        raise ScheduleError(wrong % {"text": text, "rules": ", ".join(rules)})
    if not OWN.fullmatch(place):
        _published(place, ())
    return rule, place


def year_of(place: str, year: int) -> Year:
    return _own_year(year) if OWN.fullmatch(place) else _published_year(place, year)


@lru_cache(maxsize=256)
def _own_year(year: int) -> Year:
    return Year(frozenset(day for day in _days_of(year) if day.weekday() >= 5), frozenset())


@lru_cache(maxsize=1024)
def _published_year(place: str, year: int) -> Year:
    found = _published(place, (year,))
    days = _days_of(year)
    return Year(
        frozenset(day for day in days if not found.is_working_day(day)),
        frozenset(day for day in days if day in found),
    )


def _days_of(year: int) -> list[date]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _published(place: str, years: Iterable[int]) -> Any:
    """What the library knows of these years of `place`. Raises ScheduleError where it does not know the place."""
    import holidays

    match = PUBLISHED.fullmatch(place)
    code, part = match.groups() if match else ("", None)
    ask = holidays.country_holidays if code in _countries() else holidays.financial_holidays
    try:
        known = ask(code, part, expand=False)
    except NotImplementedError:
        wrong = _(
            "%(place)r is not known: write a country like 'CN' or 'DE-BY', an exchange like 'XSHG', "
            "or a name of your own with at least three small letters."
        )
        raise ScheduleError(wrong % {"place": place}) from None
    years = [year for year in years if known.start_year <= year <= known.end_year]
    return ask(code, part, years=years, expand=False)


@cache
def _countries() -> frozenset[str]:
    import holidays

    return frozenset(holidays.list_supported_countries(include_aliases=False))


def unpublished(text: str, years: Iterable[int], days: Days) -> list[int]:
    """Those of `years` of which only the rules are known, and not what was decreed: their days may be wrong.

    Where the library has days that were decreed (in China those that move working days, each November for the next
    year) for each of the last years that it knows, a year without any is one that was not published yet, or one for
    which the library is too old. A year for which somebody entered a day is taken to be settled.
    """
    last = _last_decreed(_split(text)[1])
    settled = {day.year for key in keys_of(text) for day in days.get(key, {})}
    return [year for year in years if last is not None and year > last and year not in settled]


@lru_cache(maxsize=1024)
def _last_decreed(place: str) -> int | None:
    """The last year for which days were decreed; None for a place that does not do so each year."""
    if OWN.fullmatch(place):
        return None
    years = set(getattr(_published(place, ()), "special_public_holidays", ()))
    last = max(years, default=0)
    return last if years.issuperset(range(last - YEARS_LOOKED_AT + 1, last + 1)) else None
