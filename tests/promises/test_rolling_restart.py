"""A rolling restart: schedulers are drained and replaced one after the other while jobs go on as if nothing were."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.db.models import F

from scheduler_app import claims
from scheduler_app.models import JobRun, Node, ScheduledJob
from scheduler_app.states import NodeState, RunState
from tests import hasty_settings
from tests.promises.test_p1_one_slot_one_run import settle

ROUNDS = 12 if os.environ.get("VIGIL_TEST_LONG") else 3
NEVER = "0 0 1 1 *"
LATE = timedelta(seconds=1)

pytestmark = [
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="several schedulers need PostgreSQL"
    ),
    pytest.mark.timeout(600),
]


def test_draining_loses_no_run_and_makes_no_slot_late(site, wait_until):
    site.declare(
        *[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(5)],
        site.noting(
            "long", callable="note_and_wait", cron="every 2 s", overlap="parallel",
            kwargs={"seconds": 3},
        ),
    )  # fmt: skip
    running = site.together(*[partial(site.scheduler, "--drain")] * 2)
    for _ in range(ROUNDS):
        leaving = running.pop(0)
        node = Node.objects.get(pid=leaving.pid)
        wait_until(lambda node=node: on(node).exists())
        held = list(on(node).values_list("pk", flat=True))
        leaving.process.send_signal(signal.SIGTERM)
        running.append(site.scheduler("--drain"))
        assert leaving.wait(30) == 0
        node.refresh_from_db()
        assert node.state == NodeState.STOPPED
        ended = JobRun.objects.filter(pk__in=held).values_list("state", flat=True)
        assert set(ended) == {RunState.SUCCESS}
    settle(site, wait_until)
    runs = JobRun.objects.exclude(state=RunState.SKIPPED)  # due when `settle` switched the jobs off
    assert set(runs.values_list("state", flat=True)) == {RunState.SUCCESS}
    late = runs.filter(started_at__gt=F("slot") + LATE)
    assert [(run.job_id, run.lag_ms) for run in late] == []


def test_a_draining_node_says_so_and_waits_longer_than_one_that_stops(site, wait_until):
    site.env["DJANGO_SETTINGS_MODULE"] = "tests.hasty_settings"
    seconds = hasty_settings.VIGIL_SCHEDULER["SHUTDOWN_S"] + 2
    site.declare(
        site.noting("long", callable="note_and_wait", cron=NEVER, kwargs={"seconds": seconds})
    )
    scheduler = site.scheduler("--drain")
    node = Node.objects.get(pid=scheduler.pid)
    run = claims.request_run(ScheduledJob.objects.get())
    wait_until(lambda: on(node).exists())
    scheduler.process.send_signal(signal.SIGTERM)
    wait_until(lambda: Node.objects.get(pk=node.pk).draining, 5)
    assert Node.objects.get(pk=node.pk).state == NodeState.ALIVE
    assert scheduler.wait(30) == 0
    run.refresh_from_db()
    assert run.state == RunState.SUCCESS


def on(node):
    """What runs there."""
    return JobRun.objects.running().filter(node=node.pk)
