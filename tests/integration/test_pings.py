"""What a monitor outside hears of a scheduler, from a real small HTTP server."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app import clock, nodes, pings
from scheduler_app.heart import Heart
from scheduler_app.masking import mask
from scheduler_app.pings import Pings, Vitals
from scheduler_app.states import NodeKind
from tests.gateways import Gateway
from tests.servers import find_free_port

KEY = "5bf1a2c3-0000-4444-8888-0123456789ab"
EVERY_S = 0.2


@pytest.fixture
def monitor():
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def _ended():
    """A ping that is on its way when the work ends belongs to this test and not to the next."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, Pings):
            thread.join(10)


class Work:
    """Something that goes well, or not."""

    trouble = ""

    def __call__(self) -> str:
        return self.trouble


@pytest.fixture
def work():
    return Work()


def heard(monitor):
    return [post.path.removeprefix(f"/{KEY}") for post in monitor.posts]


def test_a_good_minute_is_told_and_the_start_before_it(monitor, work, wait_until):
    with Pings(f"{monitor.url}/{KEY}", EVERY_S, work):
        wait_until(lambda: len(monitor.posts) >= 3)
    assert heard(monitor)[:3] == ["/start", "", ""]


def test_an_address_with_a_query_keeps_it(monitor, work, wait_until):
    with Pings(f"{monitor.url}/{KEY}?create=1", EVERY_S, work):
        wait_until(lambda: monitor.posts)
    assert (monitor.posts[0].path, monitor.posts[0].query) == (f"/{KEY}/start", {"create": "1"})


def test_trouble_is_told_at_once_and_once_and_all_is_well_after_a_good_minute(
    monitor, work, wait_until
):
    with Pings(f"{monitor.url}/{KEY}", EVERY_S, work):
        wait_until(lambda: monitor.posts)
        work.trouble = "The loop has not looked for 12 s. password=hunter2hunter2"
        wait_until(lambda: "/fail" in heard(monitor))
        time.sleep(3 * EVERY_S)  # in which nothing more may come
        assert heard(monitor)[-1] == "/fail"
        work.trouble = ""
        wait_until(lambda: heard(monitor)[-1] == "")
    (said,) = [post.body.decode() for post in monitor.posts if post.path.endswith("/fail")]
    assert said == "The loop has not looked for 12 s. password=***"


def test_an_error_that_ends_the_work_is_told(monitor, work):
    with (
        pytest.raises(RuntimeError),
        Pings(f"{monitor.url}/{KEY}", 60, work),
    ):
        raise RuntimeError("no more threads")
    assert heard(monitor) == ["/start", "/fail"]
    assert "no more threads" in monitor.posts[-1].body.decode()


def test_a_clean_end_says_nothing(monitor, work, wait_until):
    with Pings(f"{monitor.url}/{KEY}", 60, work) as thread:
        wait_until(lambda: monitor.posts)
    thread.join(2)
    assert heard(monitor) == ["/start"]


def test_without_an_address_there_is_no_thread(work):
    with Pings("", EVERY_S, work) as thread:
        assert not thread.is_alive()


def test_a_monitor_that_hangs_holds_nobody_up(monitor, work, monkeypatch, wait_until):
    monkeypatch.setattr(pings, "TIMEOUT_S", 1.0)
    monitor.answer(delay_s=2.0)
    began_s = time.monotonic()
    with Pings(f"{monitor.url}/{KEY}", EVERY_S, work):
        entered_s = time.monotonic() - began_s
        wait_until(lambda: len(monitor.posts) >= 2)
        began_s = time.monotonic()
    assert entered_s < 0.8
    assert time.monotonic() - began_s < 0.8


@pytest.mark.parametrize("refusal", ["closed port", "500", "nonsense"])
def test_failures_are_logged_once_an_episode_without_the_address(
    monitor, work, wait_until, caplog, monkeypatch, refusal
):
    monkeypatch.setattr(pings, "RETRY_S", 0.05)
    caplog.set_level("INFO")
    url = {
        "closed port": f"http://127.0.0.1:{find_free_port()}/{KEY}",
        "500": f"{monitor.url}/{KEY}",
        "nonsense": f"http://[::/{KEY}",
    }[refusal]
    monitor.answer("no", status=500)
    tried = threading.Semaphore(0)
    send = Pings._send
    monkeypatch.setattr(Pings, "_send", lambda *given: (tried.release(), send(*given))[1])
    with Pings(url, EVERY_S, work):
        for _ in range(4):
            assert tried.acquire(timeout=5)
        monitor.answer()
        if refusal == "500":
            wait_until(lambda: "heartbeat_ping_arrives_again" in caplog.messages)
    assert caplog.messages.count("heartbeat_ping_failed") == 1
    (record,) = [one for one in caplog.records if one.msg == "heartbeat_ping_failed"]
    assert record.error
    assert KEY not in caplog.text
    assert KEY not in record.error


def test_the_key_in_the_address_is_a_secret(monitor, work):
    with Pings(f"{monitor.url}/ping/{KEY}", 60, work):
        pass
    assert mask(f"GET /ping/{KEY}/start") == "GET /ping/***/start"


def test_a_ping_that_did_not_arrive_is_sent_again(monitor, work, wait_until, monkeypatch):
    monkeypatch.setattr(pings, "RETRY_S", 0.05)
    monitor.answer("busy", status=503, times=2)
    with Pings(f"{monitor.url}/{KEY}", 2.0, work):
        wait_until(lambda: len(monitor.posts) >= 3)
        assert heard(monitor) == ["/start"] * 3


# what is wrong with a scheduler


@pytest.fixture
def heart(db):
    return Heart(NodeKind.SCHEDULER, lease_s=15, beat_s=2, slots=1)


def test_a_scheduler_that_beats_and_ticks_has_no_trouble(heart):
    assert Vitals(heart, lambda: datetime.now(UTC)).trouble() == ""


def test_a_loop_that_stands_still_is_trouble(heart):
    long_ago = datetime.now(UTC) - timedelta(seconds=12)
    assert "has not looked for due jobs for 12 s" in Vitals(heart, lambda: long_ago).trouble()


def test_heartbeats_that_the_database_does_not_confirm_are_trouble(heart, monkeypatch):
    vitals = Vitals(heart, lambda: datetime.now(UTC))
    later = clock.since_boot_s() + 11
    monkeypatch.setattr(clock, "since_boot_s", lambda: later)
    assert "has confirmed no heartbeat" in vitals.trouble()


def test_a_node_that_was_declared_dead_tells_it_once(heart):
    vitals = Vitals(heart, lambda: datetime.now(UTC))
    nodes.declare_dead(heart.node)
    heart.renew()
    assert "declared dead" in vitals.trouble()
    assert vitals.trouble() == ""
