from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app import blackouts
from scheduler_app.errors import ScheduleError

MONDAY = datetime.fromisoformat("2026-11-23")


def at(text: str) -> datetime:
    """A time of the week that begins on Monday, 2026-11-23: "Tue 12:00"."""
    day, clock = text.split()
    hour, minute = clock.split(":")
    days = timedelta(days=blackouts.WEEKDAYS.index(day))
    return MONDAY + days + timedelta(hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("Sat,Sun", "Sat,Sun"),
        (" sun,  SAT", "Sat,Sun"),
        ("mon-fri", "Mon-Fri"),
        ("Sat-Mon", "Mon,Sat,Sun"),
        ("Mon,Tue,Wed,Fri", "Mon-Wed,Fri"),
        ("22:00-6:00", "22:00-06:00"),
        ("22:00 - 00:00", "22:00-24:00"),
        ("00:00-09:30", "00:00-09:30"),
        ("Mon-Fri 12:00-13:00", "Mon-Fri 12:00-13:00"),
        ("Mon-Sun 12:00-13:00", "12:00-13:00"),
        ("Sat 00:00-24:00", "Sat"),
        ("Sat 12:00-12:30", "Sat 12:00-12:30"),
        ("2026-12-24/2027-01-02", "2026-12-24/2027-01-02"),
        ("2026-12-24 / 2026-12-24", "2026-12-24"),
        ("2026-12-24", "2026-12-24"),
        ("2026-12-24T18:00/2027-01-02T06:00", "2026-12-24T18:00/2027-01-02T06:00"),
        ("2026-12-24 18:00/2027-01-02", "2026-12-24T18:00/2027-01-02"),
        ("2026-12-24T00:00/2027-01-03T00:00", "2026-12-24/2027-01-02"),
    ],
)
def test_every_way_to_say_it_has_one_text(said, means):
    assert blackouts.canonical(said) == means
    assert blackouts.canonical(means) == means


@pytest.mark.parametrize(
    ("said", "words"),
    [
        *((said, "is no window") for said in ("", " ", "soon", "Sat Sun", "Mon,", "Mon-", "Foo")),
        *((said, "is no window") for said in ("12:00", "12:00-", "25:00-26:00", "12:60-13:00")),
        *((said, "is no window") for said in ("12:00-12:00", "24:00-06:00", "12:00-13:00 Mon")),
        *((said, "is no window") for said in ("2026-13-01", "2026-12-24/", "/2026-12-24", "2026")),
        ("2026-12-24T10:00+02:00/2026-12-25", "is no window"),
        ("2026-12-24T10:00:30/2026-12-25", "is no window"),
        ("2027-01-02/2026-12-24", "ends before it begins"),
        ("2026-12-24T10:00/2026-12-24T10:00", "ends before it begins"),
        ("00:00-24:00", "leaves no time"),
        ("Mon-Sun", "leaves no time"),
    ],
)
def test_what_is_no_window_is_refused_with_what_to_write(said, words):
    with pytest.raises(ScheduleError, match=words):
        blackouts.canonical(said)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("Sat,Sun", ["Sat 00:00", "Sun 23:59"], ["Fri 23:59", "Mon 00:00"]),
        ("22:00-06:00", ["Mon 22:00", "Tue 05:59", "Mon 00:00"], ["Mon 06:00", "Sun 21:59"]),
        ("18:00-24:00", ["Sun 18:00", "Sun 23:59"], ["Mon 00:00", "Mon 17:59"]),
        ("Mon-Fri 12:00-13:00", ["Mon 12:00", "Fri 12:59"], ["Fri 13:00", "Sat 12:30"]),
        ("Fri 22:00-06:00", ["Fri 22:00", "Sat 05:59"], ["Fri 05:00", "Sat 06:00", "Sat 22:00"]),
        ("Sun 22:00-06:00", ["Sun 23:00", "Mon 01:00"], ["Mon 22:30", "Sun 01:00"]),
        ("2026-11-24/2026-11-25", ["Tue 00:00", "Wed 23:59"], ["Mon 23:59", "Thu 00:00"]),
        ("2026-11-24T10:00/2026-11-24T12:00", ["Tue 10:00", "Tue 11:59"], ["Tue 12:00", "Tue 09:59"]),
    ],
)  # fmt: skip
def test_window_holds_its_begin_and_not_its_end(window, inside, outside):
    found = blackouts.parse(window)
    assert [text for text in inside if not found.holds(at(text))] == []
    assert [text for text in outside if found.holds(at(text))] == []


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_words_of_a_window_are_the_same_in_every_language(language):
    with translation.override(language):
        assert blackouts.canonical("mon-fri 9:00-12:00") == "Mon-Fri 09:00-12:00"


windows = st.sampled_from(
    ["Sat,Sun", "22:00-06:00", "Mon-Fri 12:00-13:00", "Fri 22:00-06:00", "00:00-09:30", "18:00-24:00",
     "2026-11-24T10:00/2026-11-26T12:00", "2026-11-24"]
)  # fmt: skip


@given(windows, st.integers(0, 14 * 1440))
def test_nothing_changes_but_at_an_edge(text, minutes):
    window = blackouts.parse(text)
    moment = MONDAY - timedelta(days=3) + timedelta(minutes=minutes)
    before = moment - timedelta(microseconds=1)
    if window.holds(before) != window.holds(moment):
        assert moment in set(window.edges(moment.date()))
