"""Several gunicorn workers have one set of figures, over deaths of workers and reloads."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import servers
from tests.environment import METRICS_TOKEN, clean

SCRAPES = 50


class Web:
    """gunicorn as the unit starts it."""

    def __init__(self, site, port, folder, workers=2) -> None:
        self.url = f"http://127.0.0.1:{port}"
        config = ("-c", "python:project.gunicorn_config", "--bind", f"127.0.0.1:{port}")
        command = [sys.executable, "-m", "gunicorn", "project.wsgi", *config]
        command += ["--workers", str(workers), "--threads", "2", "--graceful-timeout", "2"]
        self.process = servers.Running(command, env=clean(**site.env), folder=folder)
        servers.wait_until(self.is_up, 30)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.HTTPError:
            return False

    def counts(self) -> dict[tuple, float]:
        """Every counter and every count of a histogram, asked over a connection of its own."""
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}", "Connection": "close"}
        text = httpx.get(f"{self.url}/metrics", headers=headers).text
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("django_") and family.type in ("counter", "histogram")
            and not sample.name.endswith("_created")
        }  # fmt: skip

    def workers(self) -> set[int]:
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return set(map(int, Path(path).read_text().split()))


@pytest.fixture
def web(transactional_db, site, free_port, tmp_path):
    one = Web(site, free_port, tmp_path)
    yield one
    one.process.stop()


def watch(web: Web, scrapes: int, known: dict[tuple, float]) -> dict[tuple, float]:
    """Scrape `scrapes` times; nothing may be less than it was."""
    for _ in range(scrapes):
        found = web.counts()
        smaller = {
            key: (value, found.get(key))
            for key, value in known.items()
            if found.get(key, 0) < value
        }
        assert smaller == {}
        known = found
    return known


def total(counts: dict[tuple, float]) -> float:
    name = "django_http_requests_before_middlewares_total"
    return sum(value for (found, *_labels), value in counts.items() if found == name)


def test_counters_never_go_back(web, wait_until):
    known = watch(web, SCRAPES, {})
    assert total(known) >= SCRAPES
    for end in (signal.SIGKILL, signal.SIGTERM):
        before = web.workers()
        os.kill(min(before), end)
        wait_until(lambda old=before: len(web.workers()) == 2 and web.workers() != old, 20)
        known = watch(web, SCRAPES // 2, known)
    before = web.workers()
    web.process.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(web.workers()) == 2 and not web.workers() & before, 20)
    known = watch(web, SCRAPES // 2, known)
    assert total(known) >= 2 * SCRAPES


def test_a_start_begins_at_zero_and_deletes_the_old_files(web, site, tmp_path, free_port):
    watch(web, 5, {})
    web.process.stop()
    folder = tmp_path / "web-metrics"
    old = set(folder.glob("*.db"))
    assert old
    again = Web(site, free_port, tmp_path)
    try:
        assert total(again.counts()) < 6
        assert not old & set(folder.glob("*.db"))
    finally:
        again.process.stop()


def test_one_worker_needs_no_folder(site, free_port, tmp_path, transactional_db):
    web = Web(site, free_port, tmp_path, workers=1)
    assert total(web.counts()) >= 1
    web.process.stop()
    assert not (tmp_path / "web-metrics").exists()
