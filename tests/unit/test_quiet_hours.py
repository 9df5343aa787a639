from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app.quiet_hours import QuietHours


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


NIGHT = QuietHours(time(22), time(7), "Asia/Shanghai")
NOON = QuietHours(time(12), time(13, 30), "UTC")


@pytest.mark.parametrize(
    ("window", "now", "end"),
    [
        (NIGHT, at("2026-11-24T23:00", NIGHT.zone), at("2026-11-25T07:00", NIGHT.zone)),
        (NIGHT, at("2026-11-25T03:00", NIGHT.zone), at("2026-11-25T07:00", NIGHT.zone)),
        (NIGHT, at("2026-11-25T07:00", NIGHT.zone), None),
        (NIGHT, at("2026-11-25T21:59", NIGHT.zone), None),
        (NIGHT, at("2026-11-25T22:00", NIGHT.zone), at("2026-11-26T07:00", NIGHT.zone)),
        (NOON, at("2026-11-25T12:00"), at("2026-11-25T13:30")),
        (NOON, at("2026-11-25T11:59"), None),
    ],
)
def test_window_lasts_until_its_end_on_the_wall(window, now, end):
    assert window.ends_at(now) == end


def test_equal_times_are_no_window():
    assert QuietHours(time(8), time(8), "UTC").ends_at(at("2026-11-25T08:00")) is None


def test_unknown_zone_is_no_window():
    assert QuietHours(time(22), time(7), "Mars/Olympus").ends_at(at("2026-11-25T23:00")) is None


def test_end_in_the_spring_gap_is_when_the_gap_ends():
    window = QuietHours(time(22), time(2, 30), "Europe/Berlin")
    assert window.ends_at(at("2026-03-28T23:00")) == at("2026-03-29T01:00")


def test_end_that_exists_twice_is_the_first_that_is_ahead():
    window = QuietHours(time(22), time(2, 30), "Europe/Berlin")
    first, second = at("2026-10-25T02:30", window.zone), at("2026-10-25T02:30", window.zone, 1)
    assert window.ends_at(first - timedelta(minutes=10)) == first
    assert window.ends_at(second - timedelta(minutes=10)) == second


times = st.times().map(lambda value: value.replace(second=0, microsecond=0))
zones = st.sampled_from(
    ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
moments = st.integers(0, 3 * 365 * 86_400).map(lambda seconds: BEGIN + timedelta(seconds=seconds))


@given(times, times, zones, moments)
def test_end_lies_ahead_within_a_day_and_outside_of_the_window(start, end, zone, now):
    window = QuietHours(start, end, zone)
    over = window.ends_at(now)
    if over is not None:
        assert timedelta(0) < over - now <= timedelta(hours=25)
        assert window.ends_at(over) is None or over.astimezone(ZoneInfo(zone)).fold == 0
