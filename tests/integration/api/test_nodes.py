from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import nodes
from scheduler_app.clock import db_now
from scheduler_app.states import NodeKind
from tests.factories import make_node
from tests.integration.api.conftest import ids

pytestmark = pytest.mark.django_db

NODES = "/api/v1/scheduler/nodes"


def test_list_tells_who_lives_and_who_is_silent(plain):
    silent = make_node(heartbeat_at=db_now() - timedelta(minutes=1))
    living = make_node()
    answer = plain.get(NODES)
    assert ids(answer, "node_id") == [living.pk, silent.pk]
    assert ids(answer, "is_silent") == [False, True]


def test_list_is_filtered(plain):
    stopped = make_node()
    nodes.retire(stopped.pk)
    worker = nodes.register(NodeKind.WORKER, lease_s=15, slots=4)
    assert ids(plain.get(f"{NODES}?state=STOPPED"), "node_id") == [stopped.pk]
    assert ids(plain.get(f"{NODES}?kind=WORKER"), "node_id") == [worker.pk]


def test_list_costs_the_same_for_many_nodes(plain, django_assert_num_queries):
    for _ in range(5):
        make_node()
    with django_assert_num_queries(4):  # session, user, nodes, time
        assert len(plain.get(NODES).json()["results"]) == 5
