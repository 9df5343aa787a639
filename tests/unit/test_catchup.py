from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app import rests
from scheduler_app.catchup import Plan, Policy, plan
from scheduler_app.states import Reason, RunState
from scheduler_app.timetable import Schedule

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTELY = Schedule("* * * * *")
HOURLY = Schedule("0 * * * *")


def minutes(count: float) -> datetime:
    return BEGIN + timedelta(minutes=count)


def test_slot_that_is_due_runs():
    found = plan(MINUTELY, BEGIN, minutes(0.2), Policy())
    assert found.run == (BEGIN,)
    assert (found.passed, found.following) == ((), minutes(1))


@pytest.mark.parametrize(
    ("policy", "late_min", "runs"),
    [
        (Policy(), 29, True),
        (Policy(), 31, False),
        (Policy(grace_s=3000), 45, True),
        (Policy(grace_s=60), 2, False),
        (Policy(on_missed="skip"), 2, False),
        (Policy(on_missed="skip"), 0.9, True),
    ],
)
def test_grace_is_half_the_period_unless_the_job_says_otherwise(policy, late_min, runs):
    found = plan(HOURLY, BEGIN, minutes(late_min), policy)
    assert bool(found.run) is runs
    assert bool(found.passed) is not runs


def test_latest_runs_once_after_a_gap_and_the_rest_is_counted():
    found = plan(MINUTELY, BEGIN, minutes(600.5), Policy(grace_s=3600))
    assert found.run == (minutes(600),)
    late, left_out = found.passed
    assert (late.reason, left_out.reason) == (Reason.GRACE, Reason.CATCH_UP)
    assert late.count + left_out.count == 600
    assert found.following == minutes(601)


def test_slot_that_is_exactly_as_late_as_it_may_be_runs():
    for late_min in (5, 5.5):  # alone, and with others behind it
        schedule = Schedule("0,1 * * * *") if late_min == 5.5 else HOURLY
        now = minutes(late_min)
        found = plan(
            schedule, BEGIN, now, Policy(grace_s=late_min * 60, on_missed="all", max_catch_up=9)
        )
        assert found.run[0] == BEGIN
        assert found.passed == ()


def test_all_catches_up_at_most_so_many():
    found = plan(
        MINUTELY, BEGIN, minutes(10.5), Policy(on_missed="all", max_catch_up=4, grace_s=3600)
    )
    assert found.run == tuple(minutes(n) for n in (7, 8, 9, 10))
    assert sum(part.count for part in found.passed) == 7


def test_day_of_a_second_long_interval_is_counted_and_not_enumerated():
    schedule = Schedule("every 1 s", anchor=BEGIN)
    found = plan(schedule, BEGIN + timedelta(seconds=1), minutes(24 * 60), Policy())
    assert sum(part.count for part in found.passed) + len(found.run) == 86_400


policies = st.builds(
    Policy,
    on_missed=st.sampled_from(["skip", "latest", "all"]),
    grace_s=st.none() | st.floats(1, 100_000),
    max_catch_up=st.integers(1, 5),
)


@given(
    st.sampled_from([MINUTELY, HOURLY, Schedule("*/7 3-5 * * *", "Europe/Berlin")]),
    st.integers(0, 5000),
    policies,
)
def test_every_slot_is_planned_exactly_once(schedule, late_min, policy):
    cursor = schedule.next_after(BEGIN)
    assert cursor is not None
    now = cursor + timedelta(minutes=late_min)
    found = plan(schedule, cursor, now, policy)
    slots = [cursor, *schedule.between(cursor, now)]
    planned = list(found.run)
    for part in found.passed:
        inside = [slot for slot in slots if part.first <= slot <= part.last]
        assert len(inside) == part.count
        planned += inside
    assert sorted(planned) == slots
    assert found.following == schedule.next_after(now)
    assert len(found.run) <= policy.most


def weekends_off(local: datetime) -> Reason:
    return Reason.CALENDAR if local.weekday() >= 5 else Reason.NONE


def made_up(local: datetime) -> Reason:
    """Works on Saturday 2026-10-24 and not on the Tuesday behind it; at night and at lunch it does not start."""
    works = {date(2026, 10, 24): True, date(2026, 10, 27): False}
    if not works.get(local.date(), local.weekday() < 5):
        return Reason.CALENDAR
    night = local.hour >= 22 or local.hour < 6
    lunch = local.weekday() < 5 and local.hour == 12
    return Reason.BLACKOUT if night or lunch else Reason.NONE


def in_the_fold(local: datetime) -> Reason:
    return Reason.BLACKOUT if local.hour == 2 and local.minute >= 30 else Reason.NONE


def never(local: datetime) -> Reason:
    return Reason.BLACKOUT


RESTS: list[tuple[str, tuple[str, ...], Callable[[datetime], Reason]]] = [
    ("workdays:acme", (), weekends_off),
    ("workdays:made-up", ("22:00-06:00", "Mon-Fri 12:00-13:00"), made_up),
    ("", ("02:30-03:00",), in_the_fold),
    ("", ("00:00-12:00", "12:00-24:00"), never),
]
DAYS = {"made-up": {date(2026, 10, 24): True, date(2026, 10, 27): False}}
BERLIN = "Europe/Berlin"
SCHEDULES = [
    Schedule("* * * * *", BERLIN),
    Schedule("*/15 * * * *", BERLIN),
    Schedule("0 * * * *", BERLIN),
    Schedule("30 2 * * *", BERLIN),
    Schedule("0 9 * * SAT", BERLIN),
    Schedule("every 37 min", BERLIN, anchor=BEGIN),
    Schedule("at 2026-10-24T09:00:00", BERLIN),
]


def slots_by_reason(found: Plan, slots: list[datetime]) -> dict[datetime, Reason]:
    """What the plan says of each slot, NONE for those that run. Fails where it says two things of one."""
    said = dict.fromkeys(found.run, Reason.NONE)
    assert len(said) == len(found.run)
    for part in found.passed:
        inside = [slot for slot in slots if part.first <= slot <= part.last]
        assert (inside[0], inside[-1], len(inside)) == (part.first, part.last, part.count)
        assert not said.keys() & set(inside)
        said |= dict.fromkeys(inside, part.reason)
    return said


@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(RESTS),
    st.integers(0, 7 * 1440),
    st.integers(0, 5 * 1440),
    policies,
)
def test_every_slot_of_a_job_that_rests_is_planned_exactly_once(
    schedule, kind, begin_min, late_min, policy
):
    """Around the end of summer time in Berlin; what a slot is follows from its local time alone."""
    calendar, windows, meant = kind
    begin = datetime(2026, 10, 20, tzinfo=UTC) + timedelta(minutes=begin_min)
    if (cursor := schedule.next_after(begin)) is None:
        return
    now = cursor + timedelta(minutes=late_min)
    found = plan(schedule, cursor, now, policy, rests.of(BERLIN, calendar, windows, DAYS))
    slots = [cursor, *schedule.between(cursor, now)]
    said = slots_by_reason(found, slots)
    assert sorted(said) == slots
    zone = ZoneInfo(BERLIN)
    for slot, reason in said.items():
        wanted = meant(slot.astimezone(zone))
        assert reason == wanted or (not wanted and reason in (Reason.GRACE, Reason.CATCH_UP))
    late = [slot for slot in said if said[slot] == Reason.GRACE]
    fresh = [slot for slot in said if said[slot] in (Reason.CATCH_UP, Reason.NONE)]
    assert max(late, default=begin) < min(fresh, default=now + timedelta(1))
    left_out = [slot for slot in said if said[slot] == Reason.CATCH_UP]
    assert max(left_out, default=begin) < min(found.run, default=now + timedelta(1))
    assert len(found.run) == min(policy.most, len(fresh))
    assert [part.state for part in found.passed] == [
        RunState.SKIPPED if part.reason in (Reason.CALENDAR, Reason.BLACKOUT) else RunState.MISSED
        for part in found.passed
    ]
    assert found.following == schedule.next_after(now)
    assert_no_neighbours_alike(found, slots)


def assert_no_neighbours_alike(found: Plan, slots: list[datetime]) -> None:
    for one, other in zip(found.passed, found.passed[1:], strict=False):
        between = [slot for slot in slots if one.last < slot < other.first]
        assert one.reason != other.reason or between


def test_slots_without_a_run_between_two_rests_do_not_part_them():
    """Two nights with a blackout, and an hourly job that runs on no day in between."""
    schedule = Schedule("0 0-4 * * *")
    job = rests.of("UTC", "", ("22:00-06:00",), {})
    found = plan(schedule, BEGIN, BEGIN + timedelta(days=2, hours=5), Policy(), job)
    (part,) = found.passed
    assert (part.reason, part.count) == (Reason.BLACKOUT, 15)


def test_run_between_two_rests_parts_their_ranges():
    schedule = Schedule("*/15 * * * *")
    job = rests.of("UTC", "", ("00:00-00:30", "00:45-01:15"), {})
    found = plan(schedule, BEGIN, minutes(70), Policy(grace_s=7200), job)
    assert found.run == (minutes(30),)
    assert [(part.first, part.last, part.count) for part in found.passed] == [
        (BEGIN, minutes(15), 2),
        (minutes(45), minutes(60), 2),
    ]


def test_rest_is_no_reason_to_catch_up_and_the_last_slot_before_it_is():
    """A weekend without a scheduler, until Sunday noon."""
    friday = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    job = rests.of("UTC", "workdays:acme", (), {})
    now = friday + timedelta(hours=37)
    found = plan(HOURLY, friday, now, Policy(grace_s=2 * 86_400), job)
    assert found.run == (friday,)
    (part,) = found.passed
    assert (part.reason, part.count) == (Reason.CALENDAR, 37)


@pytest.mark.parametrize("cron", ["* * * * *", "every 1 s"])
@pytest.mark.parametrize("windows", [(), ("22:00-06:00", "Mon-Fri 12:00-13:00")])
def test_month_of_a_job_that_rests_is_counted_by_the_day(cron, windows):
    """An enumeration of its 43,200 minutes or 2.6 million seconds would take longer by far."""
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    schedule = Schedule(cron, "UTC", anchor=begin)
    job = rests.of("UTC", "workdays:CN", windows, {})
    cursor = schedule.next_after(begin)
    started_s = process_time()
    found = plan(schedule, cursor, begin + timedelta(days=30), Policy(), job)
    assert process_time() - started_s < 5
    total = sum(part.count for part in found.passed) + len(found.run)
    assert total == (43_200 if cron == "* * * * *" else 2_592_000)
    ran_or_late = total - sum(part.count for part in found.passed if part.state == RunState.SKIPPED)
    minutes_a_day = 1440 if not windows else 15 * 60
    assert abs(ran_or_late * (1 if "*" in cron else 1 / 60) - 21 * minutes_a_day) < 2
