"""P4 and P5 under faults of what the delivery stands on: Redis, which may do anything, and PostgreSQL."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from functools import partial

import pytest
import redis as redis_client
from django.db import connection

from notifications_app import channel_states, queues
from notifications_app.models import AlertNotification
from tests.gateways import SmtpSink
from tests.promises.test_engine_faults import crash_server, is_ours
from tests.story import channels_env, make_team, tell_team

pytestmark = pytest.mark.timeout(300)

PEOPLE = 20
CONCURRENCY = 8


@pytest.fixture
def sink():
    with SmtpSink() as one:
        one.answer_after_s = 0.1
        yield one


@pytest.fixture
def redis_site(site, sink, own_redis):
    """A site with a Redis of its own, whose sweep runs every few seconds."""
    site.env |= channels_env(sink) | {"REDIS_URL": own_redis.url}
    site.declare(
        {
            "id": "sweep",
            "name": "Sweep",
            "module": "notifications_app.jobs",
            "callable": "sweep_notifications",
            "cron": "every 2 s",
            "owner": "olga",
            "category": "test",
            "description": "As in the job file of the site.",
        }
    )
    return site


def flush(server, wait_until):
    with client(server) as redis:
        redis.flushall()


def shut_down(server, wait_until):
    with client(server) as redis:
        redis.shutdown(nosave=True)
    server.stop()
    time.sleep(1)  # how long it is away
    server.start()


def fill_up(server, wait_until):
    with client(server) as redis:
        redis.flushall()
        redis.config_set("maxmemory", 1)
        tell_team(1)
        redis.config_set("maxmemory", 0)


def put_rubbish(server, wait_until):
    with client(server) as redis:
        redis.set(queues.KEY, "rubbish")


@contextmanager
def client(server):
    with redis_client.Redis.from_url(server.url) as redis:
        yield redis


def backlog(server) -> int | None:
    """LLEN as an operator asks for it; None while it has none."""
    with client(server) as redis:
        try:
            return int(redis.llen(queues.KEY))
        except redis_client.RedisError:
            return None


@pytest.mark.parametrize("fault", [flush, shut_down, fill_up, put_rubbish])
def test_everything_arrives_whatever_redis_does(redis_site, own_redis, sink, wait_until, fault):
    make_team(PEOPLE)
    tell_team(3)
    _scheduler, worker = redis_site.together(redis_site.scheduler, busy_worker(redis_site))
    wait_until(lambda: len(sink.messages) > 10, 20)
    fault(own_redis, wait_until)
    assert_all_arrive(sink, wait_until)
    channel_states.set_held("EMAIL", True, by="test")
    tell_team(5)  # two that are new
    waiting = AlertNotification.objects.exclude(state="SENT").count()
    assert waiting >= PEOPLE
    wait_until(lambda: backlog(own_redis) == waiting, 30)
    channel_states.set_held("EMAIL", False, by="test")
    assert_all_arrive(sink, wait_until)
    wait_until(lambda: backlog(own_redis) == 0, 30)
    assert worker.stop() == 0
    assert worker.process.returncode == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only a server can crash")
def test_database_server_that_crashes_under_workers_doubles_nothing(site, sink, wait_until):
    if not is_ours():
        pytest.skip("the database server is not one that was started for these tests")
    make_team(PEOPLE)
    tell_team(10)
    site.env |= channels_env(sink)
    workers = site.together(*[busy_worker(site)] * 2)
    for _ in range(3):
        seen = len(sink.messages)
        wait_until(lambda seen=seen: len(sink.messages) > seen + 10, 30)
        crash_server(wait_until)
    assert_all_arrive(sink, wait_until)
    assert [worker.stop() for worker in workers] == [0, 0]
    assert max(Counter(mail["Message-ID"] for mail in sink.messages).values()) == 1


def busy_worker(site):
    return partial(site.worker, "--concurrency", str(CONCURRENCY))


def assert_all_arrive(sink, wait_until):
    wait_until(lambda: not AlertNotification.objects.exclude(state="SENT").exists(), 60)
    arrived = {mail["Message-ID"] for mail in sink.messages}
    assert len(arrived) == AlertNotification.objects.count()
