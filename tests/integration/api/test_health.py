from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from scheduler_app import nodes
from scheduler_app.clock import db_now
from scheduler_app.states import NodeKind
from tests.factories import make_node


def test_healthz_needs_no_database(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert client.head("/healthz/").status_code == 200
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
def test_readyz_says_that_nobody_works(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    words = answer.json()
    assert (words["status"], words["schedulers"], words["workers"]) == (
        "ready", "none alive", "none alive",
    )  # fmt: skip
    assert words["job_file"] == "no problem known"


@pytest.mark.django_db
def test_readyz_says_who_lives_and_when_it_ticked(client):
    make_node(tick_at=db_now())
    nodes.register(NodeKind.WORKER, lease_s=15, slots=4)
    words = client.get("/readyz").json()
    assert words["schedulers"].startswith("1 alive, last tick 0.")
    assert words["workers"] == "1 alive"


@pytest.mark.django_db
def test_readyz_says_which_celery_workers_execute(client, settings):
    assert "celery_workers" not in client.get("/readyz").json()
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "EXECUTOR": "celery"}
    assert client.get("/readyz").json()["celery_workers"] == "none alive"
    nodes.register(NodeKind.CELERY, lease_s=15, slots=2, queues=["default"])
    assert client.get("/readyz").json()["celery_workers"] == "1 alive"


@pytest.mark.django_db
def test_readyz_tells_of_a_job_file_problem_without_quoting_it(client):
    make_node(file_problem="JOBS[3].kwargs: token 'hidden-value' is ...")
    answer = client.get("/readyz")
    assert answer.json()["job_file"].startswith("1 scheduler cannot use it")
    assert "hidden-value" not in answer.content.decode()


@pytest.mark.django_db
def test_readyz_is_503_without_a_database(client):
    def refuse(*_arguments):
        raise OperationalError("password=hidden-value refused")

    with connection.execute_wrapper(refuse):
        answer = client.get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["status"] == "not ready"
    assert "hidden-value" not in answer.content.decode()


@pytest.mark.django_db
def test_readyz_costs_three_queries(client, django_assert_num_queries):
    for _ in range(3):
        make_node()
    with django_assert_num_queries(3):  # time, schedulers, workers
        client.get("/readyz")
