"""A scheduler that cannot do its work says so to the monitor outside, and says when it can again."""

from __future__ import annotations

import signal

import pytest
from django.db import connection

from scheduler_app.models import Node
from tests.gateways import Gateway
from tests.proxy import proxied

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="several schedulers need PostgreSQL"
)


@pytest.fixture
def monitor():
    with Gateway() as gateway:
        yield gateway


@pytest.fixture
def site(site, monitor):
    site.env["HEARTBEAT_URL"] = f"{monitor.url}/check"
    return site


def heard(monitor):
    return [post.path.removeprefix("/check") for post in monitor.posts]


def test_database_that_goes_away_is_told_and_so_is_its_return(site, monitor, wait_until):
    with proxied(site) as proxy:
        scheduler = site.scheduler()
        wait_until(lambda: "" in heard(monitor), 15)
        proxy.cut()
        wait_until(lambda: heard(monitor)[-1] == "/fail", 20)
        proxy.restore()
        wait_until(lambda: heard(monitor)[-1] == "", 20)
        assert scheduler.stop() == 0


def test_node_that_was_declared_dead_tells_it_when_it_wakes(site, monitor, wait_until):
    stopped, _other = site.together(site.scheduler, site.scheduler)
    stopped.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: Node.objects.filter(pid=stopped.pid, state="DEAD").exists(), 20)
    assert heard(monitor).count("/fail") == 0
    stopped.process.send_signal(signal.SIGCONT)
    wait_until(lambda: "/fail" in heard(monitor), 20)
    told = [post.body.decode() for post in monitor.posts if post.path.endswith("/fail")]
    assert "declared dead" in told[0] or "confirmed no heartbeat" in told[0]
