"""P5: a worker that dies or stands still with messages in its hands sends nothing that others took over."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from django.db import connection

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now
from scheduler_app.models import Node
from tests.gateways import Gateway, Reply
from tests.site import kill
from tests.story import WEBHOOKS, make_team

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="several workers need PostgreSQL"),
    pytest.mark.timeout(300),
]

PEOPLE, POSTS = 3, 24
CONCURRENCY = 8
IN_FLIGHT = CONCURRENCY // 4  # what a lane with a name may have


@pytest.fixture
def gateway():
    with Gateway() as one:
        one.reply = Reply(delay_s=0.6)
        yield one


@pytest.fixture
def told(site, gateway):
    """Each alert goes to one person, who has a webhook at the gateway: a post each."""
    site.env |= WEBHOOKS
    make_team(PEOPLE, email_enabled=False, webhook_enabled=True, webhook_url=gateway.url)
    for number in range(POSTS):
        owner = f"person{number % PEOPLE}"
        raise_alert(NewAlert(fingerprint=f"f{number}", title="Disk full", owner=owner))


def copies(gateway) -> Counter[str]:
    return Counter(post.headers["webhook-id"] for post in gateway.posts)


def all_sent() -> bool:
    return not AlertNotification.objects.exclude(state="SENT").exists()


def start(site):
    return site.worker("--concurrency", str(CONCURRENCY))


@pytest.mark.usefixtures("told")
def test_worker_killed_in_the_middle_of_posts_doubles_only_these(site, gateway, wait_until):
    first = start(site)
    wait_until(lambda: len(gateway.posts) >= 2 * IN_FLIGHT, 20)
    kill(first)
    second = start(site)
    wait_until(all_sent, 60)
    assert second.stop() == 0
    found = copies(gateway)
    assert len(found) == POSTS
    assert 1 <= found.total() - len(found) <= IN_FLIGHT
    assert max(found.values()) == 2


@pytest.mark.usefixtures("told")
def test_worker_that_stood_still_longer_than_its_lease_sends_nothing_that_was_taken_over(
    site, gateway, wait_until
):
    still = start(site)
    wait_until(lambda: len(gateway.posts) >= 2 * IN_FLIGHT, 20)
    node = Node.objects.get(pid=still.pid)
    held = AlertNotification.objects.filter(state="SENDING", worker=node.pk)

    def stands_still_with_more_than_is_on_its_way() -> bool:
        still.process.send_signal(signal.SIGSTOP)
        if held.count() > IN_FLIGHT:
            return True
        still.process.send_signal(signal.SIGCONT)
        return False

    wait_until(stands_still_with_more_than_is_on_its_way, 20)
    second = start(site)
    wait_until(all_sent, 60)
    posted, awake_at = len(gateway.posts), db_now()
    still.process.send_signal(signal.SIGCONT)
    living = Node.objects.filter(pid=still.pid, tick_at__gt=awake_at)
    wait_until(living.exists, 20)
    assert still.stop() == 0
    assert second.stop() == 0
    assert len(gateway.posts) == posted
    found = copies(gateway)
    assert len(found) == POSTS
    assert found.total() - len(found) <= IN_FLIGHT
    assert all_sent()
