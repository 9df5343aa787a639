"""Settings of Redis that cannot be used: the same as a Redis that is away."""

from __future__ import annotations

import pytest
from django.utils import timezone

from notifications_app import jobs, queues, redis_client
from notifications_app.channels.wechat_app.tokens import Tokens
from scheduler_app import verify
from tests.environment import METRICS_TOKEN

UNUSABLE = [
    "redis://:pa#ss@127.0.0.1:6379/0",
    "redis://:pa[ss@127.0.0.1:6379/0",
    "rediss://:pa/ss@127.0.0.1:6379/0",
    "redis://127.0.0.1:99999/0",
    "redis://127.0.0.1/0?socket_timeout=pa_ss",
    "redis://127.0.0.1/0?pa_ss=1",
    "127.0.0.1:6379",
]
PIECES = ("'pa'", "pa#ss", "pa[ss", "pa/ss", "pa_ss")


@pytest.fixture(params=UNUSABLE)
def unusable(request, settings, monkeypatch):
    cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": request.param}
    settings.CACHES = {**settings.CACHES, "vigil_queue": cache}
    monkeypatch.setattr(queues, "_down_since_s", [])


def test_workers_poll_the_database(unusable, caplog):
    queues.ring([1, 2])
    assert (queues.mode(), queues.length(), queues.wait(0)) == ("database", None, False)
    assert not queues.refill([1])
    assert not any(word in caplog.text for word in PIECES)


def test_token_is_fetched_as_without_redis(unusable):
    assert Tokens("unusable").get(lambda timeout_s: ("token", 7200.0), 5) == "token"


@pytest.mark.django_db
def test_finding_names_the_cache_and_the_fix_without_the_password(unusable):
    found = [one for one in verify.verify(timezone.now()).findings if one.kind == "settings"]
    [one] = found
    assert "CACHES['vigil_queue'] cannot be used" in one.text
    assert "percent-encoded (# is %23)" in one.hint
    assert not any(word in str(one) for word in PIECES)


@pytest.mark.django_db
def test_pages_and_figures_go_on(unusable, admin_client):
    for path in ("/", "/notifications/", "/channels/", "/nodes/", "/readyz", "/api/channels/"):
        assert admin_client.get(path, follow=True).status_code in (200, 404), path
    figures = admin_client.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert figures.status_code == 200


@pytest.mark.django_db
def test_sweep_goes_on(unusable):
    jobs.sweep_notifications()
    jobs.send_alert_notifications()


def test_redis_that_can_be_asked_has_no_problem(settings):
    assert redis_client.problem() == ""
    cache = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://:pa%23ss@127.0.0.1:1/0",
    }
    settings.CACHES = {**settings.CACHES, "vigil_queue": cache}
    assert redis_client.problem() == ""
