"""All threads at work for too long is told once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app.models import JobRun
from scheduler_app.pool_watch import PoolWatch
from tests.factories import make_job, make_node, start_run

pytestmark = pytest.mark.django_db
NODE = 1


class Look:
    """What a heartbeat at a second says of a pool of two threads that may be at work for 30 s."""

    def __init__(self, caplog) -> None:
        self._caplog, self._now_s = caplog, 0.0
        self._watch = PoolWatch(2, 30, lambda: self._now_s)

    def __call__(self, second: float, busy: int, node: int = NODE) -> list[str]:
        self._caplog.clear()
        self._now_s = second
        self._watch.look(busy, node)
        return [record.msg for record in self._caplog.records]


@pytest.fixture
def look(caplog):
    caplog.set_level("INFO", logger="scheduler_app.pool_watch")
    return Look(caplog)


def test_all_at_work_for_too_long_is_told_once_in_each_episode(look):
    assert look(0, 2) == look(30, 2) == []
    assert look(31, 2) == ["pool_saturated"]
    assert look(60, 2) == look(90, 3) == []
    assert look(100, 1) == ["pool_has_room"]
    assert look(101, 2) == look(131, 2) == []
    assert look(132, 2) == ["pool_saturated"]


def test_thread_that_was_free_in_between_begins_a_new_episode(look):
    assert look(0, 2) == look(29, 1) == look(30, 2) == look(59, 2) == []


def test_warning_names_the_runs_that_have_been_at_work_longest(look, caplog):
    for job in ("late", "early"):
        make_job(job)
    node = make_node()
    late, early = start_run("late", node, "t1"), start_run("early", node, "t2")
    JobRun.objects.filter(pk=early.pk).update(started_at=late.started_at - timedelta(minutes=5))
    look(0, 2, node.pk)
    assert look(31, 2, node.pk) == ["pool_saturated"]
    assert caplog.records[0].longest == [f"early #{early.pk}", f"late #{late.pk}"]
