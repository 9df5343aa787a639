"""A site of real processes on the test's own database, which the test reads through the ORM."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection

from scheduler_app.models import JobRun, Node
from scheduler_app.states import OPEN_STATES, NodeKind, NodeState
from tests import servers
from tests.factories import declaration

Start = Callable[..., servers.Running]


def database_url() -> str:
    """Of the database that the test itself uses."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    host = postgres_host()
    if host.startswith("/"):
        return f"postgresql://{settings['USER']}@/{settings['NAME']}?host={host}"
    user = f"{settings['USER']}:{settings['PASSWORD']}"
    return f"postgresql://{user}@{host}:{settings['PORT'] or 5432}/{settings['NAME']}"


def postgres_host() -> str:
    """A name, an address, or the folder of a socket."""
    settings = connection.settings_dict
    return str(settings["OPTIONS"].get("host") or settings["HOST"] or "127.0.0.1")


class Site:
    """Schedulers and workers; `trace` is a file to which the bodies of jobs write a line each (tests.jobs.note)."""

    def __init__(self, start: Start, start_celery: Start, folder: Path, **env: str) -> None:
        self._start, self._start_celery = start, start_celery
        self.folder = folder
        self.trace = folder / "trace"
        self.trace.touch()
        self._jobs = folder / "jobs.json"
        self.env = {
            "DATABASE_URL": database_url(),
            "JOB_FILE": "tests.job_file",
            "VIGIL_TEST_JOBS": str(self._jobs),
            "LOG_DIR": str(folder / "log"),
            "VAR_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.quick_settings",
            **env,
        }
        self.declare()

    def declare(self, *jobs: dict[str, Any], channels: dict[str, Any] | None = None) -> None:
        self._jobs.write_text(json.dumps({"jobs": jobs, "channels": channels or {}}))

    def noting(self, job_id: str, *, callable: str = "note", **fields: Any) -> dict[str, Any]:
        """A declaration of a job that leaves a line in the trace."""
        kwargs = {"path": str(self.trace), **fields.pop("kwargs", {})}
        return declaration(job_id, callable=callable, kwargs=kwargs, **fields)

    def scheduler(self, *options: str, ready: bool = True) -> servers.Running:
        """Started, and (with `ready`) ticking."""
        process = self.manage("runscheduler", *options)
        if ready:
            servers.wait_until(lambda: _registered(process), 30)
        return process

    def worker(self, *options: str, ready: bool = True) -> servers.Running:
        process = self.manage("notification_worker", *options)
        if ready:
            servers.wait_until(lambda: _registered(process), 30)
        return process

    def together(self, *starts: Start) -> list[servers.Running]:
        """All of them at the same time, and all ready: `site.together(site.scheduler, site.worker)`."""
        started = [start(ready=False) for start in starts]
        for process in started:
            servers.wait_until(partial(_registered, process), 30)
        return started

    def celery_worker(
        self,
        *options: str,
        pool: str = "threads",
        concurrency: int = 2,
        queues: str = "default",
        app: str = "project",
        ready: bool = True,
    ) -> servers.Running:
        """Started, and (with `ready`) executing; `self.env` names the broker."""
        size = ("-P", pool, "-c", str(concurrency))
        name = ("-n", f"{uuid.uuid4().hex[:8]}@%h")  # two of one name lock each other out
        quick = ("--without-gossip", "--without-mingle")
        process = self._start_celery(
            "-A", app, "worker", "-Q", queues, *size, *name, *quick, *options, env=self.env
        )
        if ready:
            servers.wait_until(lambda: _alive(process) and serving(queues, concurrency), 30)
        return process

    def manage(self, *arguments: str) -> servers.Running:
        return self._start(*arguments, env=self.env)

    def traced(self) -> list[str]:
        """The run ids that bodies noted, in order."""
        return [line.split()[0] for line in self.trace.read_text().splitlines()]

    def logged(self, *events: str) -> Iterator[dict[str, Any]]:
        """The records in scheduler.log (all, or those of `events`)."""
        path = self.folder / "log" / "scheduler.log"
        for line in path.read_text().splitlines() if path.exists() else ():
            record = json.loads(line)
            if not events or record["event"] in events:
                yield record


def _alive(process: servers.Running) -> bool:
    assert process.process.poll() is None, process.out + process.err
    return True


def _registered(process: servers.Running) -> bool:
    nodes = Node.objects.filter(pid=process.pid, state=NodeState.ALIVE, tick_at__isnull=False)
    return _alive(process) and nodes.exists()


def serving(queues: str, slots: int) -> bool:
    """Whether living Celery workers of just these queues have so many slots together."""
    living = Node.objects.filter(kind=NodeKind.CELERY, state=NodeState.ALIVE, queues=queues)
    return sum(living.values_list("slots_total", flat=True)) >= slots


def all_final() -> bool:
    return not JobRun.objects.filter(state__in=OPEN_STATES).exists()


def kill(process: servers.Running) -> None:
    process.process.send_signal(signal.SIGKILL)
    process.process.wait()


def states(job_id: str) -> Sequence[str]:
    runs = JobRun.objects.filter(job_id=job_id).order_by("pk")
    return list(runs.values_list("state", flat=True))
