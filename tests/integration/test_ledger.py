from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import ledger, nodes, signals
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, LastRun, Node, RunTally
from scheduler_app.states import NodeState, Reason, RunState
from tests.factories import make_job, make_node, start_run

pytestmark = pytest.mark.django_db


def result(run: JobRun, state: RunState = RunState.SUCCESS, **fields) -> RunResult:
    return RunResult(
        run_id=run.pk,
        token=run.token,
        state=state,
        started_at=db_now(),
        finished_at=db_now(),
        duration_ms=12.5,
        **fields,
    )


def total(job: str, state: str) -> int:
    return sum(
        RunTally.objects.filter(job=job, state=state, hour__year=1970).values_list(
            "total", flat=True
        )
    )


def test_result_ends_the_run_and_is_counted():
    make_job("a")
    run = start_run("a")
    (ended,) = ledger.finish([result(run, result="42")])
    run.refresh_from_db()
    assert (ended.pk, run.state, run.result, run.duration_ms) == (run.pk, "SUCCESS", "42", 12.5)
    assert total("a", "SUCCESS") == 1
    assert LastRun.objects.get(pk="a").run == run.pk


def test_result_written_twice_counts_once():
    make_job("a")
    run = start_run("a")
    ledger.finish([result(run)])
    assert ledger.finish([result(run)]) == []
    assert total("a", "SUCCESS") == 1


def test_result_under_another_token_changes_nothing():
    make_job("a")
    run = start_run("a", token="mine")
    run.token = "foreign"
    assert ledger.finish([result(run)]) == []
    assert JobRun.objects.get().state == RunState.RUNNING


def test_late_result_of_a_lost_run_is_kept_beside_it():
    make_job("a")
    node = make_node()
    run = start_run("a", node)
    ledger.end_lost(node.pk, Reason.NODE_DIED)
    ledger.finish([result(run)])
    run.refresh_from_db()
    assert run.state == RunState.LOST
    assert run.late_result.startswith("SUCCESS at")
    assert (total("a", "LOST"), total("a", "SUCCESS")) == (1, 0)


def test_receiver_that_fails_costs_no_result_and_is_told_again():
    make_job("a")
    run = start_run("a")
    heard = []

    def receive(*, runs):
        heard.append([r.pk for r in runs])
        if len(heard) == 1:
            JobRun.objects.get(pk=-1)

    signals.runs_finished.connect(receive, name="test")
    try:
        ledger.finish([result(run)])
        run.refresh_from_db()
        assert (run.state, run.announce_due) == (RunState.SUCCESS, True)
        assert ledger.announce() == 1
    finally:
        signals.runs_finished.disconnect("test")
    run.refresh_from_db()
    assert heard == [[run.pk], [run.pk]]
    assert not run.announce_due


def test_silent_node_is_declared_dead_and_its_runs_are_lost():
    make_job("a")
    node = make_node()
    run = start_run("a", node)
    Node.objects.filter(pk=node.pk).update(heartbeat_at=db_now() - timedelta(seconds=16))
    assert nodes.reap() == 1
    run.refresh_from_db()
    node.refresh_from_db()
    assert (run.state, run.reason, node.state) == ("LOST", "NODE_DIED", NodeState.DEAD)
    assert nodes.reap() == 0


def test_beating_node_is_left_alone():
    make_job("a")
    node = make_node()
    run = start_run("a", node)
    assert nodes.beat(node.pk)
    assert nodes.reap() == 0
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_node_that_was_declared_dead_hears_it():
    node = make_node(state=NodeState.DEAD)
    assert not nodes.beat(node.pk)


def test_runs_of_a_node_that_ended_are_found_later():
    make_job("a")
    node = make_node()
    run = start_run("a", node)
    nodes.retire(node.pk)
    assert nodes.reap() == 1
    run.refresh_from_db()
    assert run.state == RunState.LOST
