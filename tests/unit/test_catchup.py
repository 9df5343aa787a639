from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.catchup import Policy, plan
from scheduler_app.states import Reason
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
