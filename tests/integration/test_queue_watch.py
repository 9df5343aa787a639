"""A queue in which runs wait and that no living node serves is logged, and found by verify_jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import claims, queue_watch
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.queue_watch import QueueWatch
from scheduler_app.states import NodeKind
from tests.factories import make_job, make_node

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting_run():
    """A run of the queue `heavy` that waits for a minute."""
    make_job("big", queue="heavy")
    claims.request_run(ScheduledJob.objects.get(pk="big"))
    JobRun.objects.update(ready_at=db_now() - timedelta(minutes=1))


class Look:
    """The events that a heartbeat at a second logs."""

    def __init__(self, caplog) -> None:
        self._caplog, self._now_s = caplog, 0.0
        self._watch = QueueWatch(lambda: self._now_s)

    def __call__(self, second: float) -> list[str]:
        self._caplog.clear()
        self._now_s = second
        self._watch.look()
        return [f"{record.msg} {record.queue}" for record in self._caplog.records]


@pytest.fixture
def look(caplog):
    caplog.set_level("INFO", logger="scheduler_app.queue_watch")
    return Look(caplog)


def test_queue_without_a_node_is_logged_again_after_five_minutes(look, waiting_run):
    assert look(0) == ["queue_not_served heavy"]
    assert look(6) == look(295) == []
    assert look(301) == ["queue_not_served heavy"]
    make_node(kind=NodeKind.CELERY, queues="other,heavy")
    assert look(307) == ["queue_is_served heavy"]
    assert look(313) == []


@pytest.mark.parametrize(
    ("kind", "queues"),
    [(NodeKind.SCHEDULER, ""), (NodeKind.SCHEDULER, "heavy"), (NodeKind.CELERY, "heavy")],
)
def test_queue_that_a_node_serves_is_not_logged(look, waiting_run, kind, queues):
    make_node(kind=kind, queues=queues)
    assert look(0) == []


@pytest.mark.parametrize(
    ("kind", "queues", "slots"),
    [(NodeKind.SCHEDULER, "", 0), (NodeKind.CELERY, "heavier", 4), (NodeKind.WORKER, "", 4)],
)
def test_nodes_that_do_not_take_from_the_queue_do_not_count(look, waiting_run, kind, queues, slots):
    make_node(kind=kind, queues=queues, slots_total=slots)
    assert look(0) == ["queue_not_served heavy"]


def test_run_that_was_queued_just_now_waits_for_a_node_to_start(look):
    make_job("big", queue="heavy")
    claims.request_run(ScheduledJob.objects.get(pk="big"))
    assert look(0) == []


def test_looks_at_most_every_five_seconds(look, waiting_run, django_assert_num_queries):
    look(0)
    with django_assert_num_queries(0):
        look(4.9)


def test_cost_grows_with_the_queues_and_not_with_the_runs(
    waiting_run, django_assert_max_num_queries
):
    for _ in range(30):
        claims.request_run(ScheduledJob.objects.get(pk="big"))
    with django_assert_max_num_queries(5):
        assert list(queue_watch.unserved(db_now())) == ["heavy"]
