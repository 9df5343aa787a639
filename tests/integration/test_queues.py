"""The doorbell on a real Redis that is emptied, gone, full or holds rubbish."""

from __future__ import annotations

import threading
import time

import pytest
import redis as redis_client
from django_redis import get_redis_connection

from notifications_app import queues
from tests.servers import RedisServer


@pytest.fixture
def use_redis(settings, monkeypatch):
    """Point the queue at a Redis."""

    def use(url: str) -> None:
        settings.CACHES = {
            **settings.CACHES,
            "vigil_queue": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": url,
                "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 2},
            },
        }
        monkeypatch.setattr(queues, "_down_since_s", [])
        monkeypatch.setattr(queues, "RETRY_S", 0.0)

    yield use
    if "vigil_queue" in settings.CACHES:
        get_redis_connection("vigil_queue").connection_pool.disconnect()


def test_without_redis_there_is_no_bell():
    queues.ring([1, 2])
    assert (queues.mode(), queues.length()) == ("database", None)
    assert not queues.refill([1])


def test_length_is_what_was_rung(use_redis, redis_url):
    use_redis(redis_url)
    queues.ring([1, 2, 3])
    assert (queues.mode(), queues.length()) == ("redis", 3)
    queues.take_out(2)
    assert queues.length() == 1


def test_key_is_raw(use_redis, redis_url):
    use_redis(redis_url)
    queues.ring([7])
    with redis_client.Redis.from_url(redis_url) as client:
        assert client.lrange("notification:dispatch:queue", 0, -1) == [b"7"]


def test_list_is_capped(use_redis, redis_url, settings):
    settings.VIGIL_NOTIFICATIONS = {**settings.VIGIL_NOTIFICATIONS, "QUEUE_CAP": 5}
    use_redis(redis_url)
    queues.ring(list(range(20)))
    assert queues.length() == 5


def test_bell_wakes_who_waits(use_redis, redis_url):
    use_redis(redis_url)
    heard: list[float] = []
    begun_s = time.monotonic()
    waiter = threading.Thread(
        target=lambda: queues.wait(5) and heard.append(time.monotonic() - begun_s)
    )
    waiter.start()
    with redis_client.Redis.from_url(redis_url) as client:
        while not client.info("clients")["blocked_clients"]:
            time.sleep(0.01)
    queues.ring([1])
    waiter.join()
    assert heard[0] < 3


def test_flushed_list_is_filled_again(use_redis, redis_url):
    use_redis(redis_url)
    queues.ring([1, 2])
    with redis_client.Redis.from_url(redis_url) as client:
        client.flushall()
    assert queues.length() == 0
    assert queues.refill([1, 2])
    assert queues.length() == 2


def test_rubbish_at_the_key_is_replaced(use_redis, redis_url):
    use_redis(redis_url)
    with redis_client.Redis.from_url(redis_url) as client:
        client.set("notification:dispatch:queue", "rubbish")
    queues.ring([1])
    assert queues.length() is None
    assert queues.refill([1])
    assert queues.length() == 1


def test_rubbish_is_replaced_at_once_although_redis_is_left_alone_after_it(
    use_redis, redis_url, monkeypatch
):
    use_redis(redis_url)
    monkeypatch.setattr(queues, "RETRY_S", 60.0)
    with redis_client.Redis.from_url(redis_url) as client:
        client.set("notification:dispatch:queue", "rubbish")
    assert queues.length() is None
    assert queues.refill([1])
    assert queues.length() == 1


def test_redis_that_goes_and_comes_back_is_noticed_both_times(use_redis):
    server = RedisServer()
    server.start()
    use_redis(server.url)
    queues.ring([1])
    server.stop()
    assert queues.mode() == "database"
    queues.ring([2])  # lost, and no matter
    server.start()
    assert queues.mode() == "redis"
    server.stop()


def test_full_redis_costs_nothing_but_the_bell(use_redis, redis_url):
    use_redis(redis_url)
    with redis_client.Redis.from_url(redis_url) as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1)
        queues.ring([1])
        client.config_set("maxmemory", before)
    assert queues.length() == 0
