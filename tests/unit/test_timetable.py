from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.errors import ScheduleError
from scheduler_app.states import DstFold, DstGap
from scheduler_app.timetable import Schedule, canonical

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("30 2 * * *", "30 2 * * *"),
        ("  0  9 * *  mon ", "0 9 * * MON"),
        ("@daily", "0 0 * * *"),
        ("every 15 s", "every 15 s"),
        ("every hour", "every 1 h"),
        ("EVERY 5 Minutes", "every 5 min"),
        ("at 2026-12-01T02:00", "at 2026-12-01T02:00:00"),
        ({"hour": 2, "minute": 30}, "30 2 * * *"),
        ({"minute": "*/5"}, "*/5 * * * *"),
        ({"hour": 4}, "0 4 * * *"),
        ({"day_of_week": "MON"}, "0 0 * * MON"),
        ({"month": 6}, "0 0 1 6 *"),
    ],
)
def test_every_way_to_say_it_has_one_text(said, means):
    assert canonical(said) == means
    assert canonical(means) == means


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("0 0 31 2 *", "never fires"),
        ("99 * * * *", "'99' is no minute: write numbers from 0 to 59"),
        ("* * *", "five fields"),
        ("", "five fields"),
        ("every 0 s", "from 1 s"),
        ("every 2 parsecs", "one of s, min, h, d"),
        ("at noon", "write a time like"),
        ({"hours": 2}, "is no field"),
        ({}, "empty mapping"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(said, words):
    with pytest.raises(ScheduleError, match=words):
        canonical(said)


def test_what_cannot_be_is_refused_in_the_readers_language():
    with translation.override("zh-hans"), pytest.raises(ScheduleError, match="不是有效的计划"):
        canonical("soon")


def test_zero_and_seven_are_sunday():
    sunday = at("2026-11-29T09:00")
    for weekday in ("0", "7", "SUN"):
        assert Schedule(f"0 9 * * {weekday}").next_after(at("2026-11-24T00:00")) == sunday


def test_either_day_field_may_match():
    schedule = Schedule("0 0 13 * FRI")
    found = schedule.next_times(at("2026-11-09T00:00"), 3)
    assert [slot.day for slot in found] == [13, 20, 27]


def test_zone_decides_when_a_time_of_day_is():
    assert Schedule("30 2 * * *", "Asia/Shanghai").next_after(at("2026-01-01T00:00")) == at(
        "2026-01-01T18:30"
    )


@pytest.mark.parametrize(
    ("gap", "slot"),
    [(DstGap.RUN_AFTER, "2026-03-29T01:00"), (DstGap.SKIP, "2026-03-30T00:30")],
)
def test_time_that_does_not_exist_runs_when_the_gap_ends_or_not(gap, slot):
    schedule = Schedule("30 2 * * *", BERLIN, gap=gap)
    assert schedule.next_after(at("2026-03-28T12:00")) == at(slot)


@pytest.mark.parametrize(("fold", "hours"), [(DstFold.ONCE, [0]), (DstFold.TWICE, [0, 1])])
def test_time_that_exists_twice_runs_once_or_twice(fold, hours):
    schedule = Schedule("30 2 * * *", BERLIN, fold=fold)
    found = list(schedule.between(at("2026-10-24T12:00"), at("2026-10-25T12:00")))
    assert [slot.hour for slot in found] == hours


def test_every_quarter_goes_on_by_elapsed_time_through_both_changes():
    for day in ("2026-03-28", "2026-10-24"):
        begin = at(f"{day}T22:00")
        slots = Schedule("*/15 * * * *", BERLIN).next_times(begin, 30)
        assert slots == [begin + timedelta(minutes=15 * n) for n in range(1, 31)]


def test_interval_counts_from_its_anchor():
    schedule = Schedule("every 10 s", anchor=at("2026-01-01T00:00:03"))
    assert schedule.next_after(at("2026-01-01T00:00:03")) == at("2026-01-01T00:00:13")
    assert schedule.next_after(at("2026-01-01T00:00:20")) == at("2026-01-01T00:00:23")


def test_one_off_is_over_afterwards():
    schedule = Schedule("at 2026-12-01T02:00:00", "Asia/Shanghai")
    assert schedule.next_after(at("2026-01-01T00:00")) == at("2026-11-30T18:00")
    assert schedule.next_after(at("2026-11-30T18:00")) is None


def test_days_of_other_months_are_not_counted():
    found = Schedule("* * * 6 *").count(at("2026-05-01T00:00"), at("2026-06-02T00:00"))
    assert (found.count, found.first) == (1441, at("2026-06-01T00:00"))


def test_yearly_slot_in_the_second_pass_of_a_fold_is_not_passed_over():
    schedule = Schedule("30 2 25 10 *", BERLIN, fold=DstFold.TWICE)
    assert schedule.next_times(at("2026-10-25T00:40"), 2) == [
        at("2026-10-25T01:30"),
        at("2027-10-25T00:30"),
    ]


crons = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 */6 * * MON-FRI", "15 3 1,15 * *", "0 0 29 2 *",
     "5 1-3 * * *", "59 23 L * *", "0,30 2 * 3,10 *", "* 1-2 * * SUN", "every 7 min"]
)  # fmt: skip
zones = st.sampled_from(
    ["UTC", "Asia/Shanghai", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
     "America/Santiago", "America/Nuuk"]
)  # fmt: skip
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
moments = st.integers(0, 3 * 365 * 86_400).map(lambda seconds: BEGIN + timedelta(seconds=seconds))


@given(crons, zones, moments, st.integers(0, 5 * 24 * 60))
def test_counting_equals_enumerating(cron, zone, after, minutes):
    schedule = Schedule(cron, zone, anchor=datetime(2024, 1, 1, tzinfo=UTC))
    until = after + timedelta(minutes=minutes)
    slots = list(schedule.between(after, until))
    found = schedule.count(after, until)
    assert found.count == len(slots)
    assert (found.first, found.last) == ((slots[0], slots[-1]) if slots else (None, None))
    assert schedule.take_last(until, 3, after) == slots[-3:]


@given(crons, zones, moments)
def test_next_is_later_and_nothing_lies_between(cron, zone, after):
    schedule = Schedule(cron, zone, anchor=datetime(2024, 1, 1, tzinfo=UTC))
    slot = schedule.next_after(after)
    assert slot is not None
    assert slot > after
    assert schedule.next_after(slot - timedelta(microseconds=1)) == slot


@given(st.sampled_from(["* * * * *", "0 */6 * * MON-FRI", "15 3 1,15 * *"]), moments)
def test_utc_is_what_cronsim_says(cron, after):
    wanted = next(CronSim(cron, after.replace(tzinfo=None))).replace(tzinfo=UTC)
    assert Schedule(cron).next_after(after) == wanted
