from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import claims, ledger, mirror
from scheduler_app.clock import db_now
from scheduler_app.errors import NodeGoneError
from scheduler_app.models import JobRun, RunTally, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import JobState, NodeState, Reason, RunState
from tests.factories import make_due, make_job, make_node, start_run

pytestmark = pytest.mark.django_db


def test_due_slot_is_queued_once():
    make_job("nightly")
    slot = make_due("nightly")
    assert claims.claim().queued == 1
    assert claims.claim().queued == 0
    run = JobRun.objects.get()
    assert (run.slot, run.state, run.attempt) == (slot, RunState.QUEUED, 1)
    assert Timetable.objects.get().next_run_time > db_now()


def test_future_slot_is_left_alone():
    make_job("nightly")
    assert claims.claim().queued == 0
    assert not JobRun.objects.exists()


def test_slot_that_exists_is_only_passed():
    make_job("nightly")
    slot = make_due("nightly")
    claims.claim()
    Timetable.objects.update(next_run_time=slot)
    claims.claim()
    assert JobRun.objects.count() == 1
    assert Timetable.objects.get().next_run_time > db_now()


def test_backlog_leaves_one_run_and_one_missed_range():
    make_job("nightly", cron="every 60 s", grace_s=90)
    slot = make_due("nightly", timedelta(hours=1))
    ScheduleEpoch.objects.update(opened_at=slot)
    claims.claim()
    runs = list(JobRun.objects.order_by("slot"))
    assert [run.state for run in runs].count(RunState.QUEUED) == 1
    assert sum(run.slot_count for run in runs) == 61
    missed = [run for run in runs if run.state == RunState.MISSED]
    assert missed[0].slot == slot
    assert missed[0].reason == Reason.GRACE
    tally = RunTally.objects.get(job="nightly", hour__year=1970, state="MISSED")
    assert tally.total == sum(run.slot_count for run in missed)


def test_schedule_that_cannot_be_computed_stops_nobody_else():
    make_job("a")
    make_job("b")
    make_due("a")
    make_due("b")
    ScheduleEpoch.objects.filter(job_id="a").update(definition={"cron": "rubbish"})
    assert claims.claim().queued == 1
    job = ScheduledJob.objects.get(pk="a")
    assert job.state == JobState.BROKEN
    assert "cannot be computed" in job.state_error
    run = JobRun.objects.get(job="a")
    assert (run.state, run.reason) == (RunState.FAILED, Reason.BROKEN)


def test_broken_job_is_mended_by_an_edit():
    make_job("a")
    make_due("a")
    ScheduleEpoch.objects.update(definition={"cron": "rubbish"})
    claims.claim()
    mirror.edit("a", {"cron": "0 4 * * *"}, by="olga")
    assert ScheduledJob.objects.get().state == JobState.ACTIVE
    assert Timetable.objects.get().next_run_time is not None


def test_take_starts_the_oldest_first_and_no_more_than_asked():
    job = make_job("a", overlap="parallel")
    first, second, third = (claims.request_run(job) for _ in range(3))
    taken = claims.take(make_node().pk, "t", 2)
    assert [task.run_id for task in taken] == [first.pk, second.pk]
    assert all(run.started_at for run in JobRun.objects.running())
    assert JobRun.objects.running().count() == 2
    third.refresh_from_db()
    assert third.state == RunState.QUEUED


def test_overlapping_run_is_skipped_with_a_reason():
    job = make_job("a")
    start_run("a")
    claims.request_run(job)
    assert claims.take(make_node().pk, "t2", 5) == []
    run = JobRun.objects.latest("pk")
    assert (run.state, run.reason) == (RunState.SKIPPED, Reason.OVERLAP)


def test_max_instances_lets_so_many_run():
    job = make_job("a", max_instances=2)
    for _ in range(3):
        claims.request_run(job)
    assert len(claims.take(make_node().pk, "t", 5)) == 2


def test_scheduled_run_of_a_job_disabled_meanwhile_is_skipped_but_a_manual_one_starts():
    job = make_job("a", overlap="parallel")
    make_due("a")
    claims.claim()
    mirror.set_enabled("a", False, by="olga")
    manual = claims.request_run(job)
    assert [task.run_id for task in claims.take(make_node().pk, "t", 5)] == [manual.pk]
    assert JobRun.objects.get(slot__isnull=False).reason == Reason.DISABLED


def test_dead_node_may_take_nothing():
    job = make_job("a")
    claims.request_run(job)
    node = make_node(state=NodeState.DEAD)
    with pytest.raises(NodeGoneError):
        claims.take(node.pk, "t", 1)
    assert JobRun.objects.get().state == RunState.QUEUED


def test_run_given_back_may_be_taken_again():
    make_job("a")
    run = start_run("a", token="t1")
    assert ledger.give_back([run.pk], "t1") == 1
    (again,) = claims.take(make_node().pk, "t2", 1)
    assert again.run_id == run.pk


def test_idle_claim_costs_two_queries(django_assert_num_queries):
    make_job("a")
    with django_assert_num_queries(2):
        claims.claim()


def test_claim_of_many_costs_as_many_queries_as_of_one(django_assert_max_num_queries):
    for number in range(20):
        make_job(f"job{number}")
        make_due(f"job{number}")
    with django_assert_max_num_queries(10):
        assert claims.claim().queued == 20
