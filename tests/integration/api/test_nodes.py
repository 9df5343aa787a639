from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import nodes
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.states import NodeKind
from tests.factories import make_job, make_node
from tests.integration.api.conftest import ids

pytestmark = pytest.mark.django_db

NODES = "/api/v1/scheduler/nodes"


def test_list_tells_who_lives_and_who_is_silent(staff):
    silent = make_node(heartbeat_at=db_now() - timedelta(minutes=1))
    living = make_node()
    answer = staff.get(NODES)
    assert ids(answer, "node_id") == [living.pk, silent.pk]
    assert ids(answer, "is_silent") == [False, True]


def test_list_is_filtered(staff):
    stopped = make_node()
    nodes.retire(stopped.pk)
    worker = nodes.register(NodeKind.WORKER, lease_s=15, slots=4)
    assert ids(staff.get(f"{NODES}?state=STOPPED"), "node_id") == [stopped.pk]
    assert ids(staff.get(f"{NODES}?kind=WORKER"), "node_id") == [worker.pk]


def test_list_costs_the_same_for_many_nodes(staff, django_assert_num_queries):
    for _ in range(5):
        make_node()
    with django_assert_num_queries(7):  # session, user, nodes, time, runs twice, job file
        assert len(staff.get(NODES).json()["results"]) == 5


def test_a_node_tells_what_it_runs_and_how_old_its_signs_of_life_are(staff):
    job = make_job("a")
    idle = make_node()
    busy = make_node(
        heartbeat_at=db_now() - timedelta(seconds=3), tick_at=db_now() - timedelta(seconds=4)
    )
    now = db_now()
    runs = JobRun.objects.bulk_create(
        JobRun(
            job=job, trigger="MANUAL", state="RUNNING", node=busy.pk, ready_at=now, queued_at=now
        )
        for _ in range(23)
    )
    first, second = staff.get(NODES).json()["results"]
    assert (first["node_id"], second["node_id"]) == (busy.pk, idle.pk)
    assert (first["running"], first["run_ids"]) == (23, [run.pk for run in runs[:20]])
    assert (second["running"], second["run_ids"], second["tick_age_s"]) == (0, [], None)
    assert 3 <= first["heartbeat_age_s"] < 60
    assert 4 <= first["tick_age_s"] < 60


def test_the_condition_is_one_word(staff):
    ago = timedelta(seconds=12)
    cases = {
        "ALIVE": {"tick_at": db_now()},
        "DRAINING": {"tick_at": db_now(), "draining": True},
        "STILL": {"tick_at": db_now() - ago},
        "SILENT": {"heartbeat_at": db_now() - 2 * ago, "draining": True},
        "DEAD": {"state": "DEAD", "ended_at": db_now()},
    }
    for fields in cases.values():
        make_node(**fields)
    assert ids(staff.get(NODES), "condition") == [*cases][::-1]
