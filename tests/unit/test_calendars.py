"""Days on which jobs run: published ones, made-up ones, and those that somebody entered."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from scheduler_app import calendars
from scheduler_app.errors import ScheduleError

SATURDAY, SUNDAY = date(2026, 11, 21), date(2026, 11, 22)
MONDAY = date(2026, 11, 23)
NATIONAL_DAY, MADE_UP_SATURDAY = date(2026, 10, 1), date(2026, 10, 10)
CORPUS_CHRISTI = date(2026, 6, 4)
"""A Thursday on which Bavaria has off and Berlin has not."""

CHINA_2026_OFF = [
    ("2026-01-01", "2026-01-03"), ("2026-02-15", "2026-02-23"), ("2026-04-04", "2026-04-06"),
    ("2026-05-01", "2026-05-05"), ("2026-06-19", "2026-06-21"), ("2026-09-25", "2026-09-27"),
    ("2026-10-01", "2026-10-07"),
]  # fmt: skip
"""The State Council's notice for 2026 (gongbao 2025, issue 12406)."""
CHINA_2026_MADE_UP = [
    "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
]  # fmt: skip


def is_open(calendar: str, day: date, days: calendars.Days | None = None) -> bool:
    return calendars.parse(calendars.canonical(calendar), days or {}).is_open(day)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("CN", "workdays:CN"),
        (" workdays:CN ", "workdays:CN"),
        ("DE-BY", "workdays:DE-BY"),
        ("not-holidays:DE-BY", "not-holidays:DE-BY"),
        ("FR-Zone A", "workdays:FR-Zone A"),
        ("days-off:XSHG", "days-off:XSHG"),
        ("holidays:acme", "holidays:acme"),
    ],
)
def test_every_way_to_say_it_has_one_text(said, means):
    assert calendars.canonical(said) == means
    assert calendars.canonical(means) == means


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "like 'workdays:CN'"),
        ("workdays:", "like 'workdays:CN'"),
        ("holidays", "like 'workdays:CN'"),
        (":CN", "like 'workdays:CN'"),
        ("weekends:CN", "days-off, holidays, not-holidays"),
        ("cn", "three small letters"),
        ("ZZ", "a country like 'CN'"),
        ("DE-XX", "a country like 'CN'"),
        ("NOPE", "an exchange like 'XSHG'"),
        ("Acme Corp", "three small letters"),
    ],
)
def test_what_is_no_calendar_is_refused_with_what_to_write(said, words):
    with pytest.raises(ScheduleError, match=words):
        calendars.canonical(said)


def test_working_days_of_china_are_those_of_the_notice():
    off = set()
    for first, last in CHINA_2026_OFF:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        off |= {begin + timedelta(days=n) for n in range((end - begin).days + 1)}
    made_up = {date.fromisoformat(day) for day in CHINA_2026_MADE_UP}
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    wanted = [day for day in days if day in made_up or (day.weekday() < 5 and day not in off)]
    assert [day for day in days if is_open("CN", day)] == wanted


def test_day_that_makes_up_for_one_of_the_next_year_is_a_working_day():
    assert is_open("CN", date(2006, 12, 30))


@pytest.mark.parametrize(
    ("rule", "runs"),
    [
        ("workdays", [False, True, True, False]),
        ("days-off", [True, False, False, True]),
        ("holidays", [True, False, False, False]),
        ("not-holidays", [False, True, True, True]),
    ],
)
def test_rule_says_on_which_days_a_job_runs(rule, runs):
    days = (NATIONAL_DAY, MADE_UP_SATURDAY, MONDAY, SUNDAY)
    assert [is_open(f"{rule}:CN", day) for day in days] == runs


def test_part_of_a_country_has_its_own_holidays():
    assert not is_open("DE-BY", CORPUS_CHRISTI)
    assert is_open("DE-BE", CORPUS_CHRISTI)
    assert is_open("DE", CORPUS_CHRISTI)


def test_weekend_is_that_of_the_country():
    friday = date(2026, 11, 20)
    assert not is_open("EG", friday)
    assert is_open("EG", SUNDAY)


def test_exchange_is_closed_on_a_saturday_that_is_made_up_for():
    assert not is_open("XSHG", MADE_UP_SATURDAY)
    assert not is_open("XNYS", date(2026, 11, 26))


@pytest.mark.parametrize("key", ["DE", "DE-BY", "workdays:DE-BY"])
def test_day_that_was_entered_wins(key):
    days = {key: {SATURDAY: True, MONDAY: False, CORPUS_CHRISTI: True}}
    found = [is_open("DE-BY", day, days) for day in (SATURDAY, SUNDAY, MONDAY, CORPUS_CHRISTI)]
    assert found == [True, False, False, True]


def test_day_of_another_place_counts_for_nothing():
    assert is_open("DE-BY", MONDAY, {"DE-BE": {MONDAY: False}, "CN": {MONDAY: False}})


def test_what_was_entered_more_exactly_wins():
    days = {"DE": {MONDAY: False}, "DE-BY": {MONDAY: True}}
    assert is_open("DE-BY", MONDAY, days)
    assert not is_open("DE-BE", MONDAY, days)
    exact = {**days, "workdays:DE-BY": {MONDAY: False}}
    assert not is_open("DE-BY", MONDAY, exact)
    assert is_open("not-holidays:DE-BY", MONDAY, exact)


@pytest.mark.parametrize(
    ("rule", "runs"),
    [
        ("workdays", [False, True, True, False]),
        ("days-off", [True, False, False, True]),
        ("holidays", [True, False, False, False]),
        ("not-holidays", [False, True, True, True]),
    ],
)
def test_name_of_ones_own_knows_weekends_and_what_was_entered(rule, runs):
    holiday, tuesday = MONDAY, date(2026, 11, 24)
    days = {"acme": {holiday: False, SATURDAY: True}}
    found = [is_open(f"{rule}:acme", day, days) for day in (holiday, SATURDAY, tuesday, SUNDAY)]
    assert found == runs


def test_years_of_which_the_library_knows_nothing_have_weekends():
    for year in (1890, 2150):
        assert is_open("CN", date(year, 3, 3)) == (date(year, 3, 3).weekday() < 5)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("CN", "CN"),
        ("DE-BY", "DE-BY"),
        (" acme", "acme"),
        ("workdays: CN", None),
        ("workdays:CN",) * 2,
    ],
)
def test_days_are_entered_for_a_place_or_a_whole_calendar(said, key):
    if key is None:
        with pytest.raises(ScheduleError):
            calendars.canonical_key(said)
    else:
        assert calendars.canonical_key(said) == key


def test_years_of_china_that_are_not_published_are_known_to_be_so():
    known = calendars._last_decreed("CN")
    assert known is not None
    assert known >= 2026
    assert calendars.unpublished("workdays:CN", [2026, known, known + 1, known + 2], {}) == [
        known + 1,
        known + 2,
    ]
    entered = {"CN": {date(known + 1, 2, 1): True}}
    assert calendars.unpublished("not-holidays:CN", [known + 1, known + 2], entered) == [known + 2]


def test_exchange_follows_its_countrys_decrees():
    assert calendars.unpublished("XSHG", [2090], {}) == [2090]


@pytest.mark.parametrize("place", ["DE-BY", "US", "JP", "acme", "XNYS"])
def test_place_that_decrees_nothing_is_never_unpublished(place):
    assert calendars.unpublished(place, [2026, 2090], {}) == []
