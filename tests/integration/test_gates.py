"""What becomes of a run that finds its job at work: overlap, across processes, and retries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import claims, ledger, mirror, requests
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.errors import RunEndedError, UnknownRunError
from scheduler_app.models import JobRun, RunTally
from scheduler_app.states import Reason, RunState, RunTrigger
from tests.factories import make_job, make_node, start_run
from tests.ledger import assert_figures_true

pytestmark = pytest.mark.django_db


def end(run: JobRun, state: RunState = RunState.SUCCESS, **fields) -> None:
    now = db_now()
    result = RunResult(
        run_id=run.pk, token=run.token, state=state, started_at=now, finished_at=now,
        duration_ms=1.0, **fields,
    )  # fmt: skip
    ledger.finish([result])


def take() -> list[int]:
    return [task.run_id for task in claims.take(make_node().pk, "later", 10)]


def state_of(run: JobRun) -> tuple[str, str]:
    run.refresh_from_db()
    return run.state, run.reason


def test_one_waits_until_the_running_one_has_ended_and_the_next_is_skipped():
    job = make_job("a", overlap="queue_one")
    running = start_run("a")
    waiting, third = claims.request_run(job), claims.request_run(job)
    assert take() == []
    assert state_of(third) == (RunState.SKIPPED, Reason.OVERLAP)
    assert state_of(waiting)[0] == RunState.QUEUED
    assert waiting.held
    assert take() == []
    end(running)
    assert take() == [waiting.pk]
    assert_figures_true()


def test_held_run_that_nobody_released_is_found():
    job = make_job("a", overlap="queue_one")
    running = start_run("a")
    waiting = claims.request_run(job)
    take()
    assert ledger.release() == 0
    JobRun.objects.filter(pk=running.pk).update(state=RunState.SUCCESS)  # at the same moment
    assert ledger.release() == 1
    assert take() == [waiting.pk]


def test_newest_takes_the_place_of_what_runs_and_of_what_waits():
    job = make_job("a", overlap="replace")
    running = start_run("a")
    second = claims.request_run(job)
    take()
    third = claims.request_run(job)
    take()
    running.refresh_from_db()
    assert (running.state, running.reason) == (RunState.RUNNING, Reason.REPLACED)
    assert running.cancel_at
    assert state_of(second) == (RunState.SKIPPED, Reason.REPLACED)
    end(running, RunState.CANCELLED, reason=Reason.REPLACED)
    assert take() == [third.pk]


def test_failed_run_is_tried_again_later_and_only_the_last_try_is_told(monkeypatch):
    told = []
    monkeypatch.setattr("scheduler_app.ledger.runs_finished.send", lambda runs: told.append(runs))
    make_job("a", max_retries=1, retry_backoff_s=60)
    first = start_run("a")
    end(first, RunState.FAILED, error="boom")
    retry = JobRun.objects.get(trigger=RunTrigger.RETRY)
    first.refresh_from_db()
    assert (retry.attempt, retry.first_run, first.next_try) == (2, first.pk, retry.pk)
    wait_s = (retry.ready_at - db_now()).total_seconds()
    assert 40 < wait_s < 75
    assert take() == []
    JobRun.objects.filter(pk=retry.pk).update(ready_at=db_now())
    assert take() == [retry.pk]
    retry.refresh_from_db()
    end(retry, RunState.FAILED, error="boom")
    assert not JobRun.objects.filter(attempt=3).exists()
    assert [[run.next_try for run in runs] for runs in told] == [[retry.pk], [None]]
    assert RunTally.objects.get(hour__year=1970, state="FAILED").total == 2


def test_retry_keeps_slot_and_parameters():
    make_job("a", max_retries=3)
    run = start_run("a")
    slot = db_now().replace(microsecond=0)
    JobRun.objects.update(params={"text": "x"}, slot=slot, requested_by="olga")
    end(run, RunState.TIMEOUT)
    retry = JobRun.objects.get(attempt=2)
    assert (retry.slot, retry.params, retry.requested_by) == (slot, {"text": "x"}, "olga")


def test_error_that_the_job_does_not_name_is_not_tried_again():
    make_job("a", max_retries=3)
    end(start_run("a"), RunState.FAILED, may_retry=False)
    assert not JobRun.objects.filter(attempt=2).exists()


def test_retry_waits_for_a_run_that_is_at_work():
    job = make_job("a", max_retries=1, retry_backoff_s=0)
    first = start_run("a")
    end(first, RunState.FAILED)
    retry = JobRun.objects.get(attempt=2)
    JobRun.objects.filter(pk=retry.pk).update(ready_at=db_now() + timedelta(hours=1))
    other = claims.request_run(job)
    assert take() == [other.pk]
    JobRun.objects.filter(pk=retry.pk).update(ready_at=db_now())
    assert take() == []
    other.refresh_from_db()
    end(other)
    assert take() == [retry.pk]


@pytest.mark.parametrize(("policy", "attempts"), [("alert", 1), ("retry", 2)])
def test_lost_run_is_tried_again_where_the_job_asks_for_it(policy, attempts):
    make_job("a", on_lost=policy)
    node = make_node()
    start_run("a", node)
    ledger.end_lost(node.pk, Reason.NODE_DIED)
    assert JobRun.objects.count() == attempts


@pytest.mark.parametrize(("policy", "attempts"), [("alert", 1), ("retry", 2)])
def test_run_that_its_own_stopping_process_calls_lost_is_tried_again_in_the_same_way(
    policy, attempts
):
    make_job("a", on_lost=policy)
    end(start_run("a"), RunState.LOST, reason=Reason.SHUTDOWN)
    assert JobRun.objects.count() == attempts


def test_retry_of_a_disabled_job_does_not_start():
    make_job("a", max_retries=1, retry_backoff_s=0)
    end(start_run("a"), RunState.FAILED)
    mirror.set_enabled("a", False, by="olga")
    JobRun.objects.filter(attempt=2).update(ready_at=db_now())
    assert take() == []
    assert state_of(JobRun.objects.get(attempt=2)) == (RunState.SKIPPED, Reason.DISABLED)


def test_queued_run_is_cancelled_at_once():
    run = claims.request_run(make_job("a"))
    requests.cancel(run.pk, by="olga")
    assert state_of(run) == (RunState.CANCELLED, Reason.BY_PERSON)
    assert run.cancel_by == "olga"
    assert take() == []
    with pytest.raises(RunEndedError, match="ended already"):
        requests.cancel(run.pk, by="olga")
    assert_figures_true()


def test_running_run_is_asked_to_stop_once():
    make_job("a")
    run = start_run("a")
    requests.cancel(run.pk, by="olga")
    requests.cancel(run.pk, by="otto")
    assert state_of(run) == (RunState.RUNNING, Reason.BY_PERSON)
    assert run.cancel_at
    assert run.cancel_by == "olga"


def test_run_that_is_none_cannot_be_cancelled():
    with pytest.raises(UnknownRunError):
        requests.cancel(7, by="olga")


def test_take_of_a_queue_leaves_the_others():
    job = make_job("a", overlap="parallel", queue="heavy")
    other = claims.request_run(make_job("b"))
    heavy = claims.request_run(job)
    (task,) = claims.take(make_node().pk, "t", 5, queues=["heavy"])
    assert task.run_id == heavy.pk
    assert take() == [other.pk]
