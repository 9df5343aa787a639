from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduleEpoch, Timetable
from tests.factories import make_job
from tests.integration.api.conftest import ids

pytestmark = pytest.mark.django_db

SLOTS = "/api/v1/scheduler/slots"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def last():
    """The newest slot of a minutely job, of whose last 5 slots one is not on record."""
    make_job("a", cron="* * * * *")
    last = db_now().replace(second=0, microsecond=0)
    ScheduleEpoch.objects.update(opened_at=last - 5 * MINUTE)
    Timetable.objects.update(next_run_time=last + MINUTE)
    for number in (0, 1, 3, 4):
        slot = last - number * MINUTE
        JobRun.objects.create(
            job_id="a", epoch=ScheduleEpoch.objects.get().pk, slot=slot, state="SUCCESS",
            trigger="SCHEDULE", ready_at=slot, queued_at=slot, started_at=slot,
        )  # fmt: skip
    return last


def test_slots_come_with_their_rows_in_the_order_of_time(plain, last):
    answer = plain.get(f"{SLOTS}?job=a")
    assert ids(answer, "state") == ["SUCCESS", "SUCCESS", "MISSING", "SUCCESS", "SUCCESS"]
    assert answer.json()["results"][2] == {
        "slot": f"{last - 2 * MINUTE:%Y-%m-%dT%H:%M:%SZ}",
        "slot_last": f"{last - 2 * MINUTE:%Y-%m-%dT%H:%M:%SZ}",
        "slot_count": 1,
        "state": "MISSING",
        "reason": "",
        "run_id": None,
        "attempts": 0,
        "lag_ms": None,
        "is_expected": True,
    }


def test_pages_go_on_where_the_one_before_ended(plain, last):
    address, seen = f"{SLOTS}?job=a&limit=2", []
    while address:
        answer = plain.get(address)
        seen += ids(answer, "slot")
        address = answer.json()["next"]
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)


def test_window_and_state_choose(plain, last):
    since, until = (f"{last - number * MINUTE:%Y-%m-%dT%H:%M:%SZ}" for number in (3, 1))
    window = f"{SLOTS}?job=a&since={since}&until={until}"
    assert ids(plain.get(window), "state") == ["SUCCESS", "MISSING"]
    assert ids(plain.get(f"{window}&state=MISSING"), "state") == ["MISSING"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("job=ghost", 404),
        ("job=%00", 400),
        ("job=a&state=LATE", 400),
        ("job=a&since=0001-01-01T00:00:00Z&until=0001-01-01T00:00:00Z", 200),
        ("job=a&after=9999-12-31T23:59:59.999999Z&until=9999-12-31T23:59:59.999999Z", 200),
    ],
)
def test_odd_questions_have_an_answer(plain, last, query, status):
    assert plain.get(f"{SLOTS}?{query}").status_code == status


def test_whoever_is_not_signed_in_sees_nothing(anonymous):
    assert anonymous.get(f"{SLOTS}?job=a").status_code == 401


def test_a_page_costs_the_same_for_many_slots(plain, last, django_assert_num_queries):
    JobRun.objects.filter(slot=last - 4 * MINUTE).update(slot=last - 2 * MINUTE)
    ScheduleEpoch.objects.update(opened_at=last - 4 * MINUTE)
    with django_assert_num_queries(13):
        # session, user, permissions twice, groups, job twice, time twice, cursor, epochs, runs twice
        assert len(plain.get(f"{SLOTS}?job=a").json()["results"]) == 4
