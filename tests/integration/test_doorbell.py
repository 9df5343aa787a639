"""Ringing for Celery workers, by way of a real Redis."""

from __future__ import annotations

import json
import logging
import time

import pytest
import redis
from apscheduler.schedulers.blocking import BlockingScheduler
from celery import Celery

from scheduler_app import claims, nodes
from scheduler_app.errors import BrokerError, CeleryAppError
from scheduler_app.executors.doorbell import TASK, DoorbellExecutor, Line, celery_app
from scheduler_app.models import JobRun, Node
from scheduler_app.states import NodeKind
from tests.factories import make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def app(redis_url):
    return Celery("doorbell-test", broker=redis_url, set_as_current=False, fixups=[])


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as one:
        yield one


def make_worker(*queues: str, slots: int = 3) -> Node:
    return nodes.register(NodeKind.CELERY, lease_s=15, slots=slots, queues=queues)


def queue_runs(count: int, **fields) -> None:
    job = make_job("a", overlap="parallel", **fields)
    for _ in range(count):
        claims.request_run(job)


def test_messages_are_topped_up_and_say_nothing(app, client):
    line = Line(app)
    assert [line.top_up("default", wanted) for wanted in (2, 2, 3, 1)] == [2, 0, 1, 0]
    assert client.llen("default") == 3
    client.flushall()
    assert line.top_up("default", 2) == 2
    message = json.loads(client.lindex("default", 0))
    assert message["headers"]["task"] == TASK
    assert message["headers"]["argsrepr"] == "()"
    assert message["headers"]["kwargsrepr"] == "{}"
    assert message["content-type"] == "application/json"
    line.close()


def test_looking_again_and_again_floods_no_broker_whose_workers_are_busy(app, client):
    make_worker("default", slots=3)
    queue_runs(50)
    executor = DoorbellExecutor(app)
    for _ in range(20):
        executor._look()
    assert client.llen("default") == 3


def test_few_runs_ring_few_times_and_only_in_their_queue(app, client):
    make_worker("default", "heavy", slots=8)
    queue_runs(2, queue="heavy")
    DoorbellExecutor(app)._look()
    assert (client.llen("default"), client.llen("heavy")) == (0, 2)


def test_queue_without_a_living_worker_gets_no_messages(app, client):
    queue_runs(2)
    executor = DoorbellExecutor(app)
    executor._look()
    assert client.llen("default") == 0
    make_worker("default")
    executor._look()
    assert client.llen("default") == 2


def test_run_that_is_not_ready_or_held_does_not_ring(app, client):
    make_worker("default")
    queue_runs(1)
    JobRun.objects.update(held=True)
    DoorbellExecutor(app)._look()
    assert client.llen("default") == 0


def test_broker_that_is_away_is_told_within_seconds_without_its_password(own_redis):
    url = own_redis.url.replace("//", "//:the-broker-password@")
    own_redis.stop()
    line = Line(Celery("away", broker=url, set_as_current=False, fixups=[]))
    begun_s = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        line.top_up("default", 1)
    assert time.monotonic() - begun_s < 20
    assert "the-broker-password" not in str(caught.value)


@pytest.mark.django_db(transaction=True)
def test_outage_of_the_broker_is_told_once(app, own_redis, caplog, wait_until):
    app.conf.broker_url = own_redis.url
    make_worker("default")
    queue_runs(1)
    own_redis.stop()
    executor = DoorbellExecutor(app)
    with caplog.at_level(logging.INFO):
        executor.start(BlockingScheduler(), "default")
        wait_until(lambda: "broker_unreachable" in caplog.messages, 30)
        time.sleep(2.5)  # in which it would be told again
        own_redis.start()
        wait_until(lambda: "broker_back" in caplog.messages, 30)
    executor.settle(None)
    assert caplog.messages.count("broker_unreachable") == 1


@pytest.mark.parametrize("name", ["", "tests.celery_nowhere.app", "tests.jobs.no_app", "nonsense"])
def test_app_that_cannot_be_had_is_told(settings, name):
    settings.VIGIL_SCHEDULER = {"CELERY_APP": name}
    with pytest.raises(CeleryAppError, match=name or "names no Celery app"):
        celery_app()
