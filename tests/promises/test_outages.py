"""P1, P2 and P5 while the database does not serve: read-only, locked, or behind a path that carries nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from scheduler_app.models import JobRun
from tests.gateways import Gateway, Reply
from tests.promises.test_engine_faults import backends, settle
from tests.proxy import Proxy, proxied
from tests.site import database_url
from tests.story import channels_env, make_person

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only a server can be away"),
    pytest.mark.timeout(300),
]

AWAY_S = 5.0
"""Longer than the leases of tests/quick_settings.py."""


def successes() -> int:
    return JobRun.objects.filter(state="SUCCESS").count()


@contextmanager
def read_only() -> Iterator[None]:
    """As on a standby: new sessions cannot write, and those that there were have ended."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            for pid in backends():
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            yield
        finally:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@contextmanager
def locked_out() -> Iterator[None]:
    """Every statement on runs waits, as behind a migration, and ends by its time limit."""
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE scheduler_app_jobrun IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("fault", [read_only, locked_out])
def test_outage_with_runs_at_work_loses_none(site, wait_until, fault):
    site.declare(
        site.noting("long", callable="note_and_wait", cron="every 1 s", kwargs={"seconds": 2}),
        *[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(4)],
    )
    first, second = site.together(site.scheduler, site.scheduler)
    wait_until(lambda: successes() > 8, 20)
    wait_until(lambda: JobRun.objects.filter(job="long", state="RUNNING").exists(), 20)
    with fault():
        time.sleep(AWAY_S)  # how long it is away
    done = successes()
    wait_until(lambda: successes() > done + 12, 40)
    assert first.process.poll() is None
    assert second.process.poll() is None
    assert not JobRun.objects.filter(state="LOST").exists()
    settle(site, wait_until)


def test_outcomes_wait_for_a_database_that_is_read_only_and_nothing_is_sent_twice(site, wait_until):
    make_person("olga", system_enabled=False, email_enabled=False)
    with Gateway() as gateway:
        gateway.reply = Reply(delay_s=1.0)
        site.env |= channels_env(gateway=gateway)
        worker = site.worker()
        raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
        wait_until(lambda: gateway.posts, 20)
        with read_only():
            wait_until(lambda: "outcome_waits_for_database" in worker.out, 20)
            time.sleep(AWAY_S)  # longer than the lease of the message
        wait_until(lambda: AlertNotification.objects.get().state == "SENT", 20)
        raise_alert(NewAlert(fingerprint="fan", title="Fan stopped", owner="olga"))
        wait_until(lambda: AlertNotification.objects.filter(state="SENT").count() == 2, 20)
        assert worker.stop() == 0
        assert len(gateway.posts) == 2


@pytest.mark.parametrize("fault", [Proxy.freeze, Proxy.stall])
def test_path_that_carries_nothing_holds_up_for_seconds(site, wait_until, fault):
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(4)])
    with proxied(site) as proxy:
        scheduler = site.scheduler()
        wait_until(lambda: successes() > 8, 20)
        fault(proxy)
        begin_s = time.monotonic()
        wait_until(lambda: "heartbeat_failed" in scheduler.out, 30)
        assert (
            time.monotonic() - begin_s < 20
        )  # 11 or 14 s for an open connection, 5 s for a new one
        wait_until(lambda: scheduler.out.count("heartbeat_failed") > 1, 20)
        proxy.thaw()
        done = successes()
        wait_until(lambda: successes() > done + 8, 15)
        assert scheduler.process.poll() is None
        assert not JobRun.objects.filter(state="LOST").exists()
        settle(site, wait_until)
