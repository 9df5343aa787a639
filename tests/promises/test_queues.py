"""One contract for every NOTIFICATION_QUEUE: what is due is delivered once, soon, and whatever became of the bell."""

from __future__ import annotations

import pytest

from notifications_app.models import AlertNotification
from tests.factories import make_notification
from tests.gateways import SmtpSink
from tests.story import channels_env, make_person

pytestmark = pytest.mark.timeout(120)

MODES = ("database", "redis", "auto", "celery on Redis", "celery on RabbitMQ")


@pytest.fixture(params=MODES)
def queue_site(request, site, own_redis):
    """A site with a consumer of its queue."""
    mode = request.param
    site.env["NOTIFICATION_QUEUE"] = mode.split()[0]
    if mode in ("redis", "auto"):
        site.env["REDIS_URL"] = own_redis.url
    if mode == "celery on Redis":
        site.env["CELERY_BROKER_URL"] = own_redis.url
    if mode == "celery on RabbitMQ":
        site.env["CELERY_BROKER_URL"] = request.getfixturevalue("rabbitmq_url")
    with SmtpSink() as sink:
        site.env |= channels_env(sink)
        site.sink, site.mode = sink, mode
        yield site


def consume(site) -> None:
    if site.mode.startswith("celery"):
        site.celery_worker(queues="notifications", concurrency=2)
    else:
        site.worker()


def send_test(site, name: str) -> str:
    """A message that is rung for, as the command sends it; what it said about the end."""
    process = site.manage("send_test", "--channel", "EMAIL", "--to", name)
    process.process.wait(60)
    return f"exit {process.process.returncode}\n{process.out}{process.err}"


def test_what_is_due_is_delivered_once_and_rung_for(queue_site, wait_until):
    site = queue_site
    olga = make_person("olga", system_enabled=False, wechat_enabled=False)
    backlog = [make_notification("EMAIL", recipient=olga) for _ in range(30)]
    consume(site)
    assert send_test(site, "olga").startswith("exit 0")
    wait_until(lambda: not AlertNotification.objects.exclude(state="SENT").exists(), 30)
    copies = [mail["Message-ID"] for mail in site.sink.messages]
    assert len(copies) == len(set(copies)) == len(backlog) + 1


def test_bell_that_is_away_delays_and_loses_nothing(queue_site, own_redis, wait_until):
    site = queue_site
    if site.mode in ("database", "celery on RabbitMQ"):
        pytest.skip("there is no Redis to lose")
    make_person("olga", system_enabled=False, wechat_enabled=False)
    own_redis.stop()
    process = site.manage("send_test", "--channel", "EMAIL", "--to", "olga")
    wait_until(lambda: AlertNotification.objects.filter(state="PENDING").exists(), 20)
    own_redis.start()
    consume(site)
    if site.mode.startswith("celery"):  # the sweep of every minute rings again
        site.manage("shell", "-c", SWEEP).process.wait(30)
    wait_until(lambda: AlertNotification.objects.get().state == "SENT", 30)
    process.process.wait(60)
    assert len(site.sink.messages) == 1


SWEEP = "from notifications_app.jobs import sweep_notifications as s; s()"
