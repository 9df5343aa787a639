"""The jobs that every installation brings along."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import threading
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.conf import settings as site
from django.db import connection

from notifications_app.channels import registry
from project.jobs import (
    backup_database,
    probe_endpoint,
    system_health,
    verify_jobs_report,
)
from scheduler_app import jobfile, retention, verify
from scheduler_app.clock import db_now
from scheduler_app.running import SkipRun
from scheduler_app.timetable import Schedule
from scheduler_app.verify_report import Finding

SITE_FILE = "project.scheduler_config"
Disk = namedtuple("Disk", "total used free")


def site_jobs():
    return jobfile.load(SITE_FILE).jobs


# the file


def test_site_file_has_its_jobs():
    assert {job.id for job in site_jobs()} == {
        "send_alert_notifications", "sweep_notifications", "system_health", "backup_database",
        "probe_endpoint", "verify_jobs_report", "push_metrics", "prune_history",
    }  # fmt: skip
    assert [job.id for job in site_jobs() if not job.enabled] == ["push_metrics"]
    assert set(jobfile.load(SITE_FILE).channels) == set(registry.names())


@pytest.mark.django_db
def test_every_job_of_the_site_can_be_called():
    report = verify.verify(db_now(), offline=True)
    assert report.ok, report.findings
    assert report.notes == []


def test_no_job_runs_at_the_full_or_the_half_hour():
    now = datetime(2026, 11, 24, tzinfo=UTC)
    for job in site_jobs():
        if not job.cron.startswith("every"):
            slots = Schedule(expression=job.cron).between(now, now + timedelta(days=8))
            assert {slot.minute for slot in slots}.isdisjoint({0, 30}), job.id


# system_health


@pytest.mark.django_db
def test_healthy_machine_gives_its_figures():
    figures = system_health.check(most_load_per_core=1000, least_free_share=0, least_free_mb=0)
    assert figures["database_mb"] > 0
    assert figures["disk_free_mb"] > 0
    assert abs(figures["clock_offset_ms"]) < 1000


@pytest.mark.django_db
def test_every_figure_past_its_limit_is_named():
    with pytest.raises(system_health.UnhealthyError) as caught:
        system_health.check(
            least_free_share=1.1,
            least_free_mb=1e12,
            most_load_per_core=-1,
            most_database_mb=0.000001,
            most_clock_offset_ms=-1,
        )
    parts = str(caught.value).split("; ")
    assert [part.split()[0] for part in parts] == [
        "disk_free_share", "disk_free_mb", "load_per_core", "database_mb", "clock_offset_ms"
    ]  # fmt: skip
    assert "at least 1.1 is wanted" in parts[0]


@pytest.mark.django_db
def test_nearly_full_disk_alone_is_told(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(100_000_000_000, 0, 900_000_000))
    with pytest.raises(system_health.UnhealthyError) as caught:
        system_health.check(most_load_per_core=1000)
    assert str(caught.value) == "disk_free_share is 0.009, at least 0.05 is wanted"


@pytest.mark.django_db
def test_clock_that_is_behind_is_told_as_well(monkeypatch):
    monkeypatch.setattr("scheduler_app.clock.offset_ms", lambda: -5000.0)
    with pytest.raises(system_health.UnhealthyError, match="clock_offset_ms is -5000"):
        system_health.check(most_load_per_core=1000, least_free_share=0, least_free_mb=0)


# backup_database


only_sqlite = pytest.mark.skipif(
    "sqlite" not in site.DATABASES["default"]["ENGINE"], reason="copies SQLite"
)


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_backup_opens_and_has_the_tables(tmp_path):
    made = backup_database.back_up(folder=str(tmp_path / "new" / "backups"))
    (path,) = (tmp_path / "new" / "backups").iterdir()
    assert path.name == made["file"]
    assert path.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as copy:
        (count,) = copy.execute("SELECT COUNT(*) FROM django_migrations").fetchone()
        assert copy.execute("SELECT COUNT(*) FROM scheduler_app_scheduledjob").fetchone() == (0,)
    copy.close()
    assert count == made["migrations"] > 0


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_backup_keeps_days_and_leaves_other_files_alone(tmp_path):
    old = tmp_path / (db_now() - timedelta(days=15)).strftime(backup_database.NAME)
    young = tmp_path / (db_now() - timedelta(days=13)).strftime(backup_database.NAME)
    foreign = tmp_path / "vigil-before-the-upgrade.sqlite3"
    for path in (old, young, foreign):
        path.touch()
    made = backup_database.back_up(folder=str(tmp_path), keep_days=14)
    assert made["removed"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {young.name, foreign.name, made["file"]}


@only_sqlite
@pytest.mark.django_db(transaction=True)
def test_newest_backup_is_never_removed(tmp_path):
    made = backup_database.back_up(folder=str(tmp_path), keep_days=-1)
    assert [path.name for path in tmp_path.iterdir()] == [made["file"]]


@only_sqlite
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: emptied(path), "is empty"),
    ],
)
def test_copy_that_is_no_backup_is_thrown_away(tmp_path, monkeypatch, spoil, problem):
    copy = backup_database._copy
    monkeypatch.setattr(backup_database, "_copy", lambda path: (copy(path), spoil(path)))
    with pytest.raises(backup_database.BackupError, match=problem):
        backup_database.back_up(folder=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def emptied(path):
    copy = sqlite3.connect(path)
    copy.execute("DELETE FROM django_migrations")
    copy.commit()
    copy.close()


@pytest.mark.django_db
def test_other_databases_are_skipped_with_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "vendor", "postgresql")
    with pytest.raises(SkipRun, match="postgresql is backed up with its own tools"):
        backup_database.back_up(folder=str(tmp_path))


# probe_endpoint


@pytest.fixture
def answering():
    """`answering(status, body)` starts a server that answers so; returns its address."""
    servers = []

    def start(status, body=b"", **headers):
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                for pair in headers.items():
                    self.send_header(*pair)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_good_answer_gives_status_and_time(answering, settings):
    settings.SITE_URL = answering(200, b"ready")
    found = probe_endpoint.probe()
    assert (found["url"], found["status"]) == (f"{settings.SITE_URL}/readyz", 200)
    assert 0 < found["ms"] < 5000


def test_bad_answer_says_status_time_and_first_words(answering, settings):
    url = settings.PROBE_URL = answering(503, b"no worker\n<alive>")
    with pytest.raises(probe_endpoint.ProbeError) as caught:
        probe_endpoint.probe()
    assert str(caught.value).startswith(f"GET {url}: status 503 after ")
    assert str(caught.value).endswith(" ms: no worker <alive>")


def test_address_of_the_settings_comes_before_the_site(answering, settings):
    settings.PROBE_URL = answering(204) + "/elsewhere"
    assert probe_endpoint.probe()["url"] == settings.PROBE_URL


def test_site_is_asked_without_the_proxy_of_the_machine(answering, settings, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    settings.SITE_URL = answering(200)
    assert probe_endpoint.probe()["status"] == 200


def test_nobody_there_is_told(free_port, settings):
    settings.PROBE_URL = f"http://127.0.0.1:{free_port}/readyz"
    with pytest.raises(probe_endpoint.ProbeError, match="Connection refused"):
        probe_endpoint.probe(timeout_s=2)


LOOPBACK = (
    "127.0.0.1", "localhost", "2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.1", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "user@127.0.0.1", "127.0.0.1.", "LOCALHOST", "[::]",
)  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK)
def test_address_given_to_a_run_does_not_reach_this_machine(answering, settings, host):
    port = answering(200, b"secret banner").rpartition(":")[2]
    with pytest.raises(probe_endpoint.ProbeError) as caught:
        probe_endpoint.probe(url=f"http://{host}:{port}/", timeout_s=3)
    assert "banner" not in str(caught.value)
    assert "127.0.0.1:" not in str(caught.value).partition(": ")[2]


def test_network_of_the_operator_is_reached(answering, settings):
    settings.VIGIL_NOTIFICATIONS = {
        **settings.VIGIL_NOTIFICATIONS,
        "PRIVATE_NETWORKS": ["127.0.0.0/8"],
    }
    assert probe_endpoint.probe(url=answering(200))["status"] == 200
    with pytest.raises(probe_endpoint.ProbeError) as caught:
        probe_endpoint.probe(url=answering(500, b"secret banner"))
    assert "banner" not in str(caught.value)


def test_redirect_is_not_followed(answering, settings):
    settings.PROBE_URL = answering(302, b"elsewhere", Location="http://127.0.0.1:1/")
    with pytest.raises(probe_endpoint.ProbeError, match="status 302"):
        probe_endpoint.probe()


def test_service_that_speaks_no_http_is_not_quoted(free_port, settings):
    settings.VIGIL_NOTIFICATIONS = {
        **settings.VIGIL_NOTIFICATIONS,
        "PRIVATE_NETWORKS": ["127.0.0.0/8"],
    }
    with socket.create_server(("127.0.0.1", free_port)) as server:

        def greet():
            wire, _address = server.accept()
            with wire:
                wire.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(probe_endpoint.ProbeError) as caught:
            probe_endpoint.probe(url=f"http://127.0.0.1:{free_port}/", timeout_s=3)
        thread.join()
    assert "SSH" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/", "localhost:8000"])
def test_only_http_is_asked(url):
    with pytest.raises(probe_endpoint.ProbeError, match="only http and https"):
        probe_endpoint.probe(url=url)


# verify_jobs_report, prune_history


@pytest.fixture
def kept_in(tmp_path, settings):
    settings.VIGIL_SCHEDULER = {
        **settings.VIGIL_SCHEDULER,
        "VERIFY_LOG": str(tmp_path / "log.md"),
        "VERIFY_ARCHIVE": str(tmp_path),
    }
    return tmp_path


@pytest.mark.django_db
def test_weekly_report_is_kept_and_fails_with_its_findings(kept_in):
    with pytest.raises(verify_jobs_report.FindingsError, match="No scheduler is alive"):
        verify_jobs_report.report()
    assert "findings" in (kept_in / "log.md").read_text()
    assert len(list(kept_in.glob("*Z.md"))) == 1


@pytest.mark.django_db
def test_weekly_report_without_findings_is_well(kept_in, monkeypatch):
    monkeypatch.setattr(verify_jobs_report, "verify", lambda now: verify.verify(now, offline=True))
    assert verify_jobs_report.report()["jobs"] == len(site_jobs())
    assert "all well" in (kept_in / "log.md").read_text()


def test_findings_are_told_one_by_one():
    found = Finding(kind="owner", job="a", text="Nobody is called x.", hint="Name somebody.")
    assert str(found) == "a: Nobody is called x. Name somebody."


@pytest.mark.django_db
def test_pruning_says_what_it_deleted(monkeypatch):
    monkeypatch.setattr(retention, "_pruners", {"runs": lambda now, dry_run: 7})
    assert retention.prune_history() == {"runs": 7}
