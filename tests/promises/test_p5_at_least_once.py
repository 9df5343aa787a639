"""P5: a worker that is killed in the middle loses nothing and doubles at most what it had in flight."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from django.db import connection

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from tests.gateways import Gateway, Reply, SmtpSink
from tests.proxy import proxied
from tests.site import kill
from tests.story import channels_env, make_person

LONG = bool(os.environ.get("VIGIL_TEST_LONG"))
KILLS = 20 if LONG else 3
CONCURRENCY = 4
PEOPLE = 800 if LONG else 160

pytestmark = pytest.mark.timeout(3000 if LONG else 300)


@pytest.fixture
def sink():
    with SmtpSink(delay_s=0.15) as one:
        yield one


@pytest.mark.skipif(connection.vendor == "sqlite", reason="only a server can go away")
def test_database_that_goes_away_during_a_send_doubles_nothing(site, wait_until):
    make_person("olga", system_enabled=False, email_enabled=False)
    with Gateway() as gateway, proxied(site) as proxy:
        gateway.reply = Reply(delay_s=1.0)
        site.env |= channels_env(gateway=gateway) | {"DJANGO_SETTINGS_MODULE": "project.settings"}
        worker = site.worker()
        raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
        wait_until(lambda: gateway.posts, 20)
        proxy.cut()
        wait_until(lambda: "outcome_waits_for_database" in worker.out, 20)
        proxy.restore()
        wait_until(lambda: AlertNotification.objects.get().state == "SENT", 20)
        assert worker.stop() == 0
    assert len(gateway.posts) == 1


def raise_to_all(count: int) -> None:
    for number in range(count):
        make_person(f"person{number}", system_enabled=False, wechat_enabled=False)
    for number in range(0, count, 10):
        owners = ",".join(f"person{n}" for n in range(number, number + 10))
        raise_alert(NewAlert(fingerprint=f"f{number}", title="Disk full", owner=owners))


def test_worker_killed_while_messages_are_in_flight(site, sink, wait_until):
    site.env |= channels_env(sink)
    raise_to_all(PEOPLE)
    hit = 0
    for _ in range(KILLS):
        worker = site.worker("--concurrency", str(CONCURRENCY))
        before = len(sink.messages)
        wait_until(lambda before=before: len(sink.messages) > before + random.randrange(1, 6), 20)
        kill(worker)
        hit += AlertNotification.objects.filter(state="SENDING").exists()
    assert hit, "no kill landed in the middle of a send"
    last = site.worker("--concurrency", str(CONCURRENCY))
    wait_until(lambda: AlertNotification.objects.filter(state="SENT").count() == PEOPLE, 60)
    assert last.stop() == 0
    copies = Counter(mail["Message-ID"] for mail in sink.messages)
    assert len(copies) == PEOPLE
    assert sum(copies.values()) - PEOPLE <= KILLS * CONCURRENCY
    assert max(AlertNotification.objects.values_list("lost_claims", flat=True)) <= KILLS
