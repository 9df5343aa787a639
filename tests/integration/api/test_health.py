from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from scheduler_app import nodes
from scheduler_app.clock import db_now
from scheduler_app.models import Timetable
from scheduler_app.states import NodeKind
from tests.factories import declaration, make_job, make_node, sync


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
    assert answer.json()["verdict"]["kinds"]["job_file"] == 1
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


QUERIES = 24 + (connection.vendor == "postgresql")
"""Whether a server takes changes, jobs, nodes, channels, dead letters, and whom the owners' alerts reach."""


@pytest.mark.django_db
def test_readyz_costs_the_same_with_many_nodes_and_jobs(client, django_assert_num_queries):
    make_node()
    make_job("job0")
    with django_assert_num_queries(QUERIES):
        client.get("/readyz")
    for _ in range(3):
        make_node()
    sync(*(declaration(f"job{number}", cron="0 0 1 1 *") for number in range(50)))
    Timetable.objects.update(next_run_time=db_now() - timedelta(hours=1))
    with django_assert_num_queries(QUERIES):
        assert client.get("/readyz").json()["verdict"]["kinds"]["timetable"] == 50


@pytest.mark.django_db
def test_readyz_has_the_verdict_in_words_and_for_machines(client):
    said = client.get("/readyz").json()["verdict"]
    assert said == {
        "ok": False,
        "severity": "CRITICAL",
        "problems": 2,
        "kinds": {"node": 1, "worker": 1},
        "words": "No scheduler runs · No notification worker runs",
    }
    make_node(tick_at=db_now())
    nodes.register(NodeKind.WORKER, lease_s=15, slots=4)
    said = client.get("/readyz").json()["verdict"]
    assert said == {
        "ok": True, "severity": "", "problems": 0, "kinds": {}, "words": "Nothing is wrong now"
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="root may write every file")
def test_readyz_says_that_the_database_is_read_only(client):
    assert client.get("/readyz").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    answer = client.get("/readyz")
    with connection.cursor() as cursor:
        cursor.execute("RESET default_transaction_read_only")
    assert answer.status_code == 503
    assert "read-only" in answer.json()["database"]
