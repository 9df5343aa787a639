"""Vigil as it is installed: real processes on a database of their own, which this process reads through the ORM."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import connection

from benchmarks import orm
from benchmarks.databases import BACKENDS, Vendor, called
from benchmarks.stage import Stage
from scheduler_app.models import Node
from tests import servers
from tests.environment import clean

READY_TIMEOUT_S = 60.0
OWNER = "admin"
"""The owner of every job."""


class Site:
    """What `opened` yields; ends what it started."""

    def __init__(self, stage: Stage, vendor: Vendor, folder: Path, database_url: str) -> None:
        self.stage, self.vendor, self.folder = stage, vendor, folder
        self.database_url = database_url
        self._stack = contextlib.ExitStack()
        self.env = {
            "DATABASE_URL": called(database_url, BACKENDS),
            "JOB_FILE": "benchmarks.engine.job_file",
            "SCHEDULER_ISOLATION": "thread",
            "SCHEDULER_ALLOWED_MODULES": "benchmarks.engine.no_ops",
            "LOG_DIR": str(folder / "log"),
            "VAR_DIR": str(folder),
        }

    @property
    def server_url(self) -> str:
        """Where backends are looked for; empty for SQLite, which has none."""
        return self.stage.databases.server_url if self.vendor == "postgresql" else ""

    def settle(self) -> None:
        """What a database does by itself some time after so many changes."""
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE" if self.vendor == "sqlite" else "VACUUM ANALYZE")
        self.stage.databases.settle(self.vendor)

    def scheduler(self) -> servers.Running:
        """`manage.py runscheduler`, not ready yet."""
        process = servers.start_manage("runscheduler", folder=self.folder, env=self.env)
        self._stack.callback(process.stop)
        return process

    def ready_scheduler(self) -> servers.Running:
        return self.ready("runscheduler")

    def ready(self, *command: str) -> servers.Running:
        """`manage.py COMMAND` that has registered, which is the last thing before its loop."""
        process = servers.start_manage(*command, folder=self.folder, env=self.env)
        self._stack.callback(process.stop)
        servers.wait_until(lambda: _is_registered(process), READY_TIMEOUT_S)
        if self.stage.profile:
            self._record(process.pid, self.stage.profile)
        return process

    def start(self, command: list[str], **env: str) -> servers.Running:
        """Any other process with the site's environment."""
        process = servers.Running(command, env=clean(**{**self.env, **env}), folder=self.folder)
        self._stack.callback(process.stop)
        return process

    def stop(self) -> None:
        """End all processes; the database stays."""
        self._stack.close()

    def logged(self, *events: str) -> dict[str, Counter[int]]:
        """How often scheduler.log, with what was rotated away, has each of `events` for each run."""
        found: dict[str, Counter[int]] = {event: Counter() for event in events}
        for path in (self.folder / "log").glob("scheduler.log*"):
            for line in path.read_text().splitlines():
                record = json.loads(line)
                if record["event"] in found:
                    found[record["event"]][record["run_id"]] += 1
        return found

    def _record(self, pid: int, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%H%M%S')}-{pid}.txt"
        command = [
            "py-spy",
            "record",
            "--rate=500",
            "--gil",
            "--threads",
            "--format=raw",
            f"--pid={pid}",
        ]
        recorder = subprocess.Popen(
            [*command, f"--output={path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._stack.callback(recorder.wait, 60)
        self._stack.callback(recorder.send_signal, signal.SIGINT)  # writes what it has, then ends


@contextlib.contextmanager
def opened(stage: Stage, vendor: Vendor = "postgresql") -> Iterator[Site]:
    """A site with one person, without jobs and without processes; models speak to its database."""
    folder = Path(tempfile.mkdtemp(dir=stage.folder))
    with stage.databases.migrated(vendor) as url, orm.connected(url):
        get_user_model().objects.create(username=OWNER, email="admin@example.com")
        site = Site(stage, vendor, folder, url)
        try:
            yield site
        finally:
            site.stop()
    shutil.rmtree(folder)


def _is_registered(process: servers.Running) -> bool:
    assert process.process.poll() is None, process.out + process.err
    return Node.objects.filter(pid=process.pid).exists()
