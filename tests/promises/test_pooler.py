"""Schedulers and workers behind PgBouncer, which gives each transaction another session of the server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from scheduler_app.models import JobRun
from tests.promises.test_engine_faults import settle
from tests.servers import find_free_port, wait_until
from tests.site import postgres_host
from tests.story import make_person

SESSIONS = 4
LIMITS = """
    SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')
"""
BOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="a pooler is for PostgreSQL"),
    pytest.mark.skipif(not BOUNCER, reason="there is no PgBouncer: apt install pgbouncer"),
    pytest.mark.timeout(300),
]


@contextmanager
def pgbouncer(folder: Path) -> Iterator[str]:
    """The URL of the test's database through a pooler with few sessions; all else by its defaults."""
    settings, port = connection.settings_dict, find_free_port()
    (folder / "users.txt").write_text(f'"{settings["USER"]}" "{settings["PASSWORD"]}"\n')
    config = folder / "pgbouncer.ini"
    config.write_text(
        "[databases]\n"
        f"* = host={postgres_host()} port={settings['PORT'] or 5432}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder / 'users.txt'}\nlogfile = {folder / 'log'}\n"
        f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\n"
    )
    user = (
        _who_may_reach(postgres_host()) if os.geteuid() == 0 else None
    )  # it refuses to run as root
    if user:
        for path in (folder, *folder.parents):
            with suppress(OSError):
                path.chmod(path.stat().st_mode | 0o011)
        for path in (folder, config, folder / "users.txt"):
            os.chown(path, user.pw_uid, user.pw_gid)
    process = subprocess.Popen([str(BOUNCER), str(config)], user=user.pw_uid if user else None)
    try:
        wait_until(lambda: _answers(port))
        yield f"postgresql://{settings['USER']}@127.0.0.1:{port}/{settings['NAME']}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _who_may_reach(host: str) -> pwd.struct_passwd:
    """A server from a wheel has its socket in a folder of its own user."""
    return (
        pwd.getpwuid(Path(host).stat().st_uid) if host.startswith("/") else pwd.getpwnam("nobody")
    )


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def left_behind(url: str) -> set[tuple[str, ...]]:
    """The limits of every session that the pooler holds."""
    with ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(url)) for _ in range(SESSIONS)]
        return {client.execute(LIMITS).fetchone() for client in clients}  # each in a transaction


def test_everything_works_behind_a_pooler_and_the_log_names_the_setting(site, wait_until, tmp_path):
    folder = tmp_path / "bouncer"
    folder.mkdir()
    make_person("olga", email_enabled=False, wechat_enabled=False)
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(6)])
    with pgbouncer(folder) as url:
        site.env["DATABASE_URL"] = url
        first, second, worker = site.together(site.scheduler, site.scheduler, site.worker)
        for number in range(5):
            raise_alert(NewAlert(fingerprint=f"disk{number}", title="Disk full", owner="olga"))
        wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > 40, 60)
        wait_until(lambda: not AlertNotification.objects.exclude(state="SENT").exists(), 60)
        settle(site, wait_until)
        said = first.out + second.out + worker.out
        assert [one.stop() for one in (first, second, worker)] == [0, 0, 0]
        assert left_behind(url) == {("0", "0")}  # in sessions that others use next
    assert "prepared statement" not in said.replace("prepared_statements_off", "")
    assert "DATABASE_PREPARE=false" in said
    assert not JobRun.objects.exclude(state__in=("SUCCESS", "SKIPPED", "CANCELLED")).exists()
