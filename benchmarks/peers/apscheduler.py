"""django-apscheduler: APScheduler over DjangoJobStore, every execution recorded."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from benchmarks import orm
from benchmarks.databases import Vendor
from benchmarks.engine.records import wait_for
from benchmarks.measure import Figures, percentile
from benchmarks.peers import environment
from benchmarks.stage import Stage
from tests.servers import Running, wait_until

NAME = "django-apscheduler"
REGISTER_TIMEOUT_S = 120.0
PATIENCE_S = 240.0


def burst(stage: Stage, vendor: Vendor, count: int) -> Figures:
    """`count` jobs due at one instant: executions a second until all are recorded, and lateness."""
    module = "benchmarks.peers.side.apscheduler_burst"
    with stage.databases.empty(vendor) as url, orm.connected(url):
        process = environment.start(stage, "-m", module, str(count), DATABASE_URL=url)
        try:
            due_s = float(wait_until(lambda: _said(process, "due"), REGISTER_TIMEOUT_S))
            final_s = wait_for(_count_executed, count, due_s + PATIENCE_S)
            started = wait_until(lambda: _said(process, "started"))
        finally:
            process.stop()
    late_ms = [1000 * (moment - due_s) for moment in started]
    return {"rate": count / (final_s - due_s), "p99_ms": percentile(late_ms, 0.99)}


def _count_executed() -> int:
    query = "SELECT count(*) FROM django_apscheduler_djangojobexecution WHERE status = 'Executed'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def _said(process: Running, name: str) -> Any:
    """What the process has said under `name`; None before it has. AssertionError when it ended instead."""
    said = [
        json.loads(line) for line in process.out.splitlines(keepends=True) if line.endswith("\n")
    ]
    found = next((each[name] for each in said if name in each), None)
    assert found or process.process.poll() is None, process.out + process.err
    return found
