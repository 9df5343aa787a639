"""P5: a worker that is killed in the middle loses nothing and doubles at most what it had in flight."""

from __future__ import annotations

import os
import random
from collections import Counter
from functools import partial

import pytest
from django.db import connection

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from tests.gateways import Gateway, Reply, SmtpSink
from tests.proxy import proxied
from tests.site import kill
from tests.story import channels_env, make_person, make_team, tell_team

LONG = bool(os.environ.get("VIGIL_TEST_LONG"))
KILLS = 20 if LONG else 4
IN_THE_MIDDLE = 10 if LONG else 2
CONCURRENCY = 8
WORKERS = 3
PEOPLE, ALERTS, ANSWER_S = (2000, 10, 0.1) if LONG else (40, 10, 0.4)

pytestmark = pytest.mark.timeout(3000 if LONG else 300)


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


def test_killed_workers_lose_nothing_and_double_no_more_than_they_had_in_flight(site, wait_until):
    make_team(PEOPLE)
    tell_team(ALERTS)
    total = PEOPLE * ALERTS
    assert AlertNotification.objects.filter(state="PENDING").count() == total
    with SmtpSink() as sink:
        sink.answer_after_s = ANSWER_S
        site.env |= channels_env(sink)
        workers = site.together(*[busy_worker(site)] * WORKERS)
        hits = 0
        for _ in range(KILLS):
            seen, unheard = len(sink.messages), sink.unheard
            wait_until(lambda seen=seen: len(sink.messages) > seen + random.randrange(8), 30)
            kill(workers.pop(random.randrange(WORKERS)))
            workers.append(busy_worker(site)())
            hits += sink.unheard > unheard
        assert AlertNotification.objects.exclude(state="SENT").exists(), "the kills came too late"
        wait_until(lambda: ended().count() == total, 600 if LONG else 60)
        assert [worker.stop() for worker in workers] == [0] * WORKERS
        copies = Counter(mail["Message-ID"] for mail in sink.messages)
    assert hits >= IN_THE_MIDDLE
    assert set(ended().values_list("state", flat=True)) == {"SENT"}
    assert len(copies) == total
    assert sum(copies.values()) - total <= KILLS * CONCURRENCY
    assert max(copies.values()) <= KILLS


def busy_worker(site):
    return partial(site.worker, "--concurrency", str(CONCURRENCY))


def ended():
    return AlertNotification.objects.filter(finished_at__isnull=False)
