"""Many runs that end at once cost as many statements as a few, however they end."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts_app.models import AlertRecord
from alerts_app.states import AlertState
from scheduler_app import claims, ledger
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.states import Reason, RunState, RunTrigger
from tests.factories import declaration, make_node, sync

pytestmark = pytest.mark.django_db

FEW, MANY = 5, 60


@pytest.fixture
def node():
    return make_node().pk


def queued(count, **fields):
    now = db_now()
    JobRun.objects.bulk_create(
        JobRun(
            job_id=f"j{number}",
            trigger=RunTrigger.MANUAL,
            state=RunState.QUEUED,
            queue="default",
            ready_at=now,
            queued_at=now,
            **fields,
        )
        for number in range(count)
    )


def started(count, node, **fields):
    queued(count, **fields)
    tasks = claims.take(node, f"token{JobRun.objects.count()}", count)
    assert len(tasks) == count
    return tasks


def results(tasks, state):
    now = db_now()
    return [
        RunResult(
            run_id=task.run_id,
            token=task.token,
            state=state,
            started_at=now,
            finished_at=now,
            duration_ms=1.0,
            error="boom" if state == RunState.FAILED else "",
        )
        for task in tasks
    ]


def finish(count, node, state, **fields):
    found = results(started(count, node, **fields), state)
    with CaptureQueriesContext(connection) as captured:
        ledger.finish(found)
    return len(captured)


def lose(count, node):
    started(count, node)
    with CaptureQueriesContext(connection) as captured:
        assert len(ledger.end_lost(node, Reason.NODE_DIED)) == count
    return len(captured)


def skip(count, node):
    queued(count)
    runs = list(JobRun.objects.queued())
    with CaptureQueriesContext(connection) as captured:
        ledger.end_unstarted(runs, RunState.SKIPPED, Reason.OVERLAP, db_now())
    return len(captured)


def report_late(count, node):
    tasks = started(count, node)
    ledger.end_lost(node, Reason.NODE_DIED)
    with CaptureQueriesContext(connection) as captured:
        assert ledger.finish(results(tasks, RunState.SUCCESS)) == []
    return len(captured)


def recover(count, node):
    finish(count, node, RunState.FAILED, attempt=4)
    assert AlertRecord.objects.filter(state=AlertState.OPEN).count() == count
    return finish(count, node, RunState.SUCCESS)


@pytest.mark.parametrize(
    "end",
    [
        lambda count, node: finish(count, node, RunState.SUCCESS),
        lambda count, node: finish(count, node, RunState.FAILED),
        lambda count, node: finish(count, node, RunState.FAILED, attempt=4),
        lose,
        skip,
        report_late,
        recover,
    ],
    ids=["succeeded", "retried", "failed", "lost", "skipped", "late", "recovered"],
)
def test_statements_do_not_grow_with_the_runs(node, end):
    sync(*(declaration(f"j{number}", max_retries=3, on_lost="retry") for number in range(MANY)))
    counts = []
    for count in (FEW, MANY):
        counts.append(end(count, node))
        JobRun.objects.all().delete()
        AlertRecord.objects.filter(state=AlertState.OPEN).update(
            state=AlertState.RESOLVED, open_key=None
        )
    # Django inserts some 30 wide rows by one statement on SQLite, which takes 999 values
    more = 3 * MANY // 30 if connection.vendor == "sqlite" else 0
    assert counts[1] <= counts[0] + more
