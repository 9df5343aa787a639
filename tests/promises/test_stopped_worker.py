"""P5: a worker that dies or stands still sends nothing of what others took over but the calls that it had begun."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from django.db import connection

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now
from scheduler_app.models import Node
from scheduler_app.states import Severity
from tests.gateways import Gateway, Reply
from tests.site import kill
from tests.story import WEBHOOKS, make_team

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="several workers need PostgreSQL"),
    pytest.mark.timeout(300),
]

POSTS = 18
CONCURRENCY = 8
IN_FLIGHT = CONCURRENCY // 4  # what a lane with a name may have


@pytest.fixture
def gateway():
    with Gateway() as one:
        one.reply = Reply(delay_s=0.4)
        yield one


@pytest.fixture
def told(site, gateway):
    """A post for each alert, in the order of the alerts; being critical, none is put into a summary."""
    site.env |= WEBHOOKS
    make_team(1, email_enabled=False, webhook_enabled=True, webhook_url=gateway.url)
    for number in range(POSTS):
        title = f"Disk {number} is full"
        raise_alert(
            NewAlert(fingerprint=title, title=title, owner="team", severity=Severity.CRITICAL)
        )


def titles(posts) -> list[str]:
    return [post.json()["data"]["title"] for post in posts]


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
    found = Counter(titles(gateway.posts))
    assert len(found) == POSTS
    assert 1 <= found.total() - len(found) <= IN_FLIGHT
    assert max(found.values()) == 2


@pytest.mark.usefixtures("told")
def test_worker_that_stood_still_longer_than_its_lease_sends_nothing_that_waited_in_its_hands(
    site, gateway, wait_until
):
    """No lease reaches a call that is between the last look at it and the request: it goes out when the worker wakes.

    Such calls are among those in flight, and what is in flight comes first of what is held.
    """
    still = start(site)
    wait_until(lambda: len(gateway.posts) >= 2 * IN_FLIGHT, 20)
    node = Node.objects.get(pid=still.pid)
    held = AlertNotification.objects.filter(state="SENDING", worker=node.pk)
    in_order = held.order_by("due_at", "pk").values_list("alert__title", flat=True)

    def stands_still_with_more_than_is_on_its_way() -> bool:
        still.process.send_signal(signal.SIGSTOP)
        if held.count() > IN_FLIGHT:
            return True
        still.process.send_signal(signal.SIGCONT)
        return False

    wait_until(stands_still_with_more_than_is_on_its_way, 20)
    in_flight = set(in_order[:IN_FLIGHT])
    second = start(site)
    wait_until(all_sent, 60)
    posted, awake_at = len(gateway.posts), db_now()
    still.process.send_signal(signal.SIGCONT)
    living = Node.objects.filter(pid=still.pid, tick_at__gt=awake_at)
    wait_until(living.exists, 20)
    assert still.stop() == 0
    assert second.stop() == 0
    found, late = Counter(titles(gateway.posts)), titles(gateway.posts[posted:])
    assert len(found) == POSTS
    assert set(late) <= in_flight
    assert {title for title, count in found.items() if count > 1} <= in_flight
    assert max(found.values()) <= 2
    assert all_sent()
