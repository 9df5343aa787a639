"""Quiet hours as spans of a week, against a reference that looks at the clock minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications_app.quiet_hours import QuietHours
from notifications_app.spans import common, union

MINUTE = timedelta(minutes=1)
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),  # at midnight
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),  # by half an hour
    "Pacific/Apia": (date(2011, 12, 30),),  # a day that never was
    "Asia/Kathmandu": (date(2026, 5, 5),),  # never
    "UTC": (date(2026, 5, 5),),
}
clocks = st.times().map(lambda value: value.replace(second=0, microsecond=0))
minutes = st.integers(0, 600).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + n * MINUTE)
spans = st.lists(st.tuples(minutes, minutes).filter(lambda span: span[0] < span[1]), max_size=8)


@st.composite
def windows(draw):
    zone = draw(st.sampled_from(sorted(CHANGES)))
    day = datetime.combine(draw(st.sampled_from(CHANGES[zone])), time(), tzinfo=UTC)
    begin = day + draw(st.integers(-3 * 1440, 1440)) * MINUTE
    return QuietHours(draw(clocks), draw(clocks), zone), begin


def is_quiet(hours: QuietHours, moment: datetime) -> bool:
    clock = moment.astimezone(ZoneInfo(hours.zone)).time()
    if hours.start <= hours.end:
        return hours.start <= clock < hours.end
    return clock >= hours.start or clock < hours.end


def is_in(moment: datetime, found) -> bool:
    return any(begin <= moment < end for begin, end in found)


@settings(max_examples=60, deadline=None)
@given(windows())
def test_spans_are_the_minutes_in_which_the_clock_says_so(window):
    hours, begin = window
    end = begin + timedelta(days=3)
    found = hours.spans(begin, end)
    assert all(a[1] < b[0] for a, b in pairwise(found))
    for number in range(3 * 1440):
        moment = begin + number * MINUTE
        assert is_in(moment, found) == is_quiet(hours, moment), moment


@pytest.mark.parametrize(
    ("zone", "day", "length_h"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 8),
        ("Europe/Berlin", date(2026, 10, 24), 10),
        ("Asia/Shanghai", date(2026, 10, 24), 9),
    ],
)
def test_night_of_a_clock_change_is_as_long_as_it_is(zone, day, length_h):
    begin = datetime.combine(day, time(12), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    (night,) = QuietHours(time(22), time(7), zone).spans(begin, begin + timedelta(days=1))
    assert night[1] - night[0] == timedelta(hours=length_h)


def test_zone_that_is_unknown_has_no_quiet_hours():
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    assert QuietHours(time(22), time(7), "Mars/Olympus").spans(begin, begin + MINUTE) == []


@given(spans, spans)
def test_common_and_union_agree_with_every_minute(one, other):
    first, second = union(one), union(other)
    both = common(first, second)
    for number in range(601):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + number * MINUTE
        assert is_in(moment, first) == is_in(moment, one)
        assert is_in(moment, both) == (is_in(moment, one) and is_in(moment, other))
