"""A scheduler process and the monitor that watches it from outside."""

from __future__ import annotations

import pytest

from scheduler_app.models import JobRun
from tests.gateways import Gateway

KEY = "5bf1a2c3-0000-4444-8888-0123456789ab"


@pytest.fixture
def monitor():
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def watched(site, monitor):
    site.env["HEARTBEAT_URL"] = f"{monitor.url}/ping/{KEY}"
    return site


def test_a_monitor_hears_of_the_start_and_of_each_good_minute_and_no_log_has_its_address(
    watched, monitor, wait_until
):
    watched.declare(watched.noting("often", cron="every 1 s"))
    scheduler = watched.scheduler()
    wait_until(lambda: len(monitor.posts) >= 3, 20)
    assert scheduler.stop() == 0
    paths = [post.path for post in monitor.posts]
    assert paths[0] == f"/ping/{KEY}/start"
    assert set(paths[1:]) == {f"/ping/{KEY}"}
    logged = (watched.folder / "log" / "scheduler.log").read_text()
    assert KEY not in logged + scheduler.out + scheduler.err


def test_a_monitor_that_is_away_costs_no_run(watched, monitor, wait_until):
    monitor.answer(delay_s=30.0)
    watched.declare(watched.noting("often", cron="every 1 s"))
    watched.scheduler()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() >= 3, 20)
    assert all(run.lag_ms < 2000 for run in JobRun.objects.filter(state="SUCCESS"))
