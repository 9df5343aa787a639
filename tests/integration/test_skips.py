"""Slots in which a job rests, as the ledger has them."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts_app.models import AlertRecord
from scheduler_app import claims, clock, mirror, recount, retention
from scheduler_app.models import CalendarDay, JobRun, RunTally, ScheduleEpoch, Timetable
from scheduler_app.states import Reason, RunState
from tests.factories import make_due, make_job
from tests.ledger import assert_figures_true, assert_whole

pytestmark = pytest.mark.django_db

EVERY_DAY = ["00:00-12:00", "12:00-24:00"]
"""Blackout windows that leave no time."""
MINUTE = timedelta(minutes=1)


@pytest.fixture
def now(monkeypatch):
    """`now(moment)` sets the database's clock, as claims.py and mirror.py read it."""

    def put(moment: datetime) -> datetime:
        for module in (claims, mirror):
            monkeypatch.setattr(module, "db_now", lambda: moment)
        return moment

    return put


def begin(now, text: str, **fields) -> datetime:
    """A job that was synced at `text`, UTC."""
    moment = now(datetime.fromisoformat(f"{text}+00:00"))
    make_job("a", **{"cron": "* * * * *", "timezone": "UTC", **fields})
    return moment


def rows() -> list[tuple[str, str, int]]:
    return list(JobRun.objects.order_by("slot").values_list("state", "reason", "slot_count"))


def test_slot_in_a_blackout_window_leaves_a_skipped_row(now):
    moment = begin(now, "2026-11-24T21:58:30", blackouts=["22:00-06:00"])
    for minutes in (1, 2):
        now(moment + minutes * MINUTE)
        claims.claim()
    first, second = JobRun.objects.order_by("slot")
    assert first.state == RunState.QUEUED
    assert (second.state, second.reason, second.slot_count) == ("SKIPPED", Reason.BLACKOUT, 1)
    assert second.finished_at == moment + 2 * MINUTE
    assert "blackout window" in second.error
    assert_whole()


def test_rest_is_one_row_that_grows(now):
    moment = begin(now, "2026-11-20T23:57:30", calendar="workdays:CN")
    for minutes in range(1, 11):
        now(moment + minutes * MINUTE)
        claims.claim()
    assert rows() == [("QUEUED", "", 1), ("QUEUED", "", 1), ("SKIPPED", Reason.CALENDAR, 8)]
    row = JobRun.objects.get(state=RunState.SKIPPED)
    assert row.slot == datetime.fromisoformat("2026-11-21T00:00+00:00")
    assert row.slot_last == row.slot + 7 * MINUTE
    assert row.finished_at == moment + 10 * MINUTE
    assert row.error.startswith("8 slot(s) from 2026-11-21 00:00:00 to 2026-11-21 00:07:00 UTC")
    assert_whole()
    assert_figures_true()
    assert recount.differences() == []


def test_tallies_take_each_slot_once_in_its_hour(now):
    moment = begin(now, "2026-11-21T10:57:30", calendar="workdays:CN")
    for minutes in range(1, 6):
        now(moment + minutes * MINUTE)
        claims.claim()
    hours = RunTally.objects.filter(state="SKIPPED", hour__year=2026).order_by("hour")
    assert [(one.hour.hour, one.total) for one in hours] == [(10, 2), (11, 3)]


def test_other_reason_begins_another_row(now):
    moment = begin(
        now, "2026-11-22T23:58:30", calendar="workdays:CN", blackouts=["Mon 00:00-00:02"]
    )
    for minutes in range(1, 5):
        now(moment + minutes * MINUTE)
        claims.claim()
    assert rows() == [
        ("SKIPPED", Reason.CALENDAR, 1),
        ("SKIPPED", Reason.BLACKOUT, 2),
        ("QUEUED", "", 1),
    ]


def test_run_between_two_rests_parts_them(now):
    moment = begin(now, "2026-11-24T10:00:30", blackouts=["10:00-10:02", "10:03-10:05"])
    for minutes in range(1, 6):
        now(moment + minutes * MINUTE)
        claims.claim()
    assert [count for _, _, count in rows()] == [1, 1, 2, 1]
    assert_whole()


def test_weekend_without_a_scheduler_is_one_row_and_one_that_goes_on_grows_it(now):
    moment = begin(now, "2026-11-20T23:30:30", calendar="workdays:CN", grace_s=60)
    now(moment + timedelta(hours=30))
    claims.claim()
    now(moment + timedelta(hours=60))
    claims.claim()
    assert rows() == [
        ("MISSED", Reason.GRACE, 29),
        ("SKIPPED", Reason.CALENDAR, 2880),
        ("MISSED", Reason.GRACE, 690),
        ("QUEUED", "", 1),
    ]
    assert_whole()
    assert_figures_true()


def test_missed_slots_before_a_rest_keep_it_from_growing_over_them(now):
    moment = begin(now, "2026-11-24T10:00:30", blackouts=["10:00-10:02", "11:00-11:02"], grace_s=60)
    now(moment + MINUTE)
    claims.claim()
    now(moment + timedelta(hours=1, seconds=59))
    claims.claim()
    assert rows() == [
        ("SKIPPED", Reason.BLACKOUT, 1),
        ("MISSED", Reason.GRACE, 58),
        ("SKIPPED", Reason.BLACKOUT, 2),
    ]
    assert_whole()


def test_new_definition_begins_another_row(now):
    moment = begin(now, "2026-11-21T10:00:30", calendar="workdays:CN")
    now(moment + MINUTE)
    claims.claim()
    now(moment + 2 * MINUTE)
    mirror.edit("a", {"calendar": "workdays:DE"}, by="olga")
    now(moment + 3 * MINUTE)
    claims.claim()
    assert ScheduleEpoch.objects.count() == 2
    assert [count for _, _, count in rows()] == [2, 1]
    assert_whole()


@pytest.mark.parametrize(
    "change", [{"calendar": "workdays:CN"}, {"blackouts": ["Sat,Sun"]}, {"calendar": ""}]
)
def test_edit_of_what_a_job_rests_by_opens_an_epoch(now, change):
    moment = begin(now, "2026-11-24T10:00:30", calendar="not-holidays:CN")
    now(moment + MINUTE / 2)
    mirror.edit("a", change, by="olga")
    newest = ScheduleEpoch.objects.latest("pk")
    assert ScheduleEpoch.objects.count() == 2
    assert {**newest.definition, **change} == newest.definition


def test_row_that_was_pruned_meanwhile_is_followed_by_a_new_one(now, settings):
    moment = begin(now, "2026-11-21T10:00:30", calendar="workdays:CN")
    now(moment + 5 * MINUTE)
    claims.claim()
    retention.prune(moment + timedelta(days=100))
    now(moment + 6 * MINUTE)
    claims.claim()
    assert [count for _, _, count in rows()] == [1]
    assert recount.differences() == []
    assert RunTally.objects.get(state="SKIPPED", hour__year=1970).total == 6


def test_slots_that_a_row_has_are_only_passed(now):
    moment = begin(now, "2026-11-21T10:00:30", calendar="workdays:CN")
    now(moment + 5 * MINUTE)
    claims.claim()
    Timetable.objects.update(next_run_time=moment.replace(second=0) + 3 * MINUTE)
    claims.claim()
    assert [count for _, _, count in rows()] == [5]
    assert_figures_true()


def test_nobody_is_told_of_a_rest(now, caplog):
    caplog.set_level(logging.INFO, logger="scheduler_app")
    moment = begin(now, "2026-11-21T10:00:30", calendar="workdays:CN")
    for minutes in range(1, 6):
        now(moment + minutes * MINUTE)
        claims.claim()
    assert not AlertRecord.objects.exists()
    told = [record for record in caplog.records if record.name == "scheduler_app.skips"]
    assert [(record.levelname, record.message) for record in told] == [("INFO", "job_run_skipped")]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_day_that_somebody_entered_counts_from_the_next_slot_on(now):
    moment = begin(now, "2026-11-21T10:00:30", calendar="workdays:CN")
    now(moment + MINUTE)
    claims.claim()
    CalendarDay.objects.create(calendar="CN", day=date(2026, 11, 21), is_open=True)
    now(moment + 2 * MINUTE)
    claims.claim()
    assert rows() == [("SKIPPED", Reason.CALENDAR, 1), ("QUEUED", "", 1)]


def test_calendar_that_cannot_be_understood_any_more_stops_nobody_else(now):
    begin(now, "2026-11-24T10:00:30", calendar="workdays:CN")
    make_job("b", cron="* * * * *")
    ScheduleEpoch.objects.filter(job_id="a").update(
        definition={**ScheduleEpoch.objects.get(job_id="a").definition, "calendar": "workdays:QQ"}
    )
    now(datetime.fromisoformat("2026-11-24T10:01:10+00:00"))
    assert claims.claim().queued == 1
    assert JobRun.objects.get(job="a").reason == Reason.BROKEN


def queries_of_a_claim() -> int:
    with CaptureQueriesContext(connection) as queries:
        claims.claim()
    return len(queries)


def test_claim_without_a_calendar_asks_for_none():
    make_job("a", blackouts=EVERY_DAY)
    make_due("a")
    with CaptureQueriesContext(connection) as queries:
        claims.claim()
    assert not [one for one in queries if "calendarday" in one["sql"]]


def test_claim_of_many_that_rest_costs_as_many_queries_as_of_one():
    made = []
    for number in range(21):
        make_job(f"job{number}", blackouts=EVERY_DAY, calendar="not-holidays:acme")
        made.append(f"job{number}")
    make_due(made[0])
    few = queries_of_a_claim()
    for job_id in made[1:]:
        make_due(job_id)
    assert queries_of_a_claim() == few
    assert JobRun.objects.filter(state=RunState.SKIPPED).count() == 21


def test_run_starts_by_its_jitter_and_keeps_its_slot():
    make_job("a", cron="0 0 1 1 *", jitter_s=30)
    slot = make_due("a")
    claims.claim()
    run = JobRun.objects.get()
    assert run.slot == slot
    assert timedelta(0) < run.ready_at - slot < timedelta(seconds=30)


def test_jitter_that_is_over_when_a_slot_is_caught_up_holds_nothing_up():
    make_job("a", cron="0 0 1 1 *", jitter_s=30, grace_s=3600)
    make_due("a", timedelta(minutes=10))
    claims.claim()
    assert JobRun.objects.get(state=RunState.QUEUED).ready_at < clock.db_now()
