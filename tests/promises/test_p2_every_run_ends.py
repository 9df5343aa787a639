"""P2: a run that started ends in exactly one final state, whatever dies or goes away."""

from __future__ import annotations

import os
import signal
import time

import pytest
from django.db import connection

from alerts_app.models import AlertRecord
from scheduler_app import claims
from scheduler_app.models import JobRun, Node, ScheduledJob
from scheduler_app.states import NodeState, Reason, RunState
from tests.factories import declaration
from tests.ledger import assert_figures_true
from tests.proxy import proxied
from tests.site import all_final, kill, states

LONG = bool(os.environ.get("VIGIL_TEST_LONG"))
NEVER = "0 0 1 1 *"
OUTAGE_S = 60 if LONG else 6

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="several schedulers need PostgreSQL"
)


def run_now(job_id: str) -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


def test_runs_of_a_killed_scheduler_are_lost_within_the_lease_and_told(site, wait_until):
    site.declare(declaration("long", callable="wait", kwargs={"seconds": 60}, cron=NEVER))
    first = site.scheduler()
    run = run_now("long")
    wait_until(lambda: states("long") == ["RUNNING"])
    kill(first)
    second = site.scheduler()
    wait_until(all_final, 10)  # the lease is 3 s, and so long a new one looks on before it judges
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.LOST, Reason.NODE_DIED)
    assert Node.objects.get(pid=first.pid).state == NodeState.DEAD
    assert AlertRecord.objects.get().labels["state"] == "LOST"
    assert_figures_true()
    kill(second)


def test_result_that_comes_after_its_run_was_lost_is_kept_and_changes_nothing(site, wait_until):
    site.declare(declaration("long", callable="wait", kwargs={"seconds": 1}, cron=NEVER))
    first, _ = site.together(site.scheduler, site.scheduler)
    wait_until(lambda: Node.objects.filter(state="ALIVE").count() == 2)
    run = run_now("long")
    wait_until(lambda: states("long") == ["RUNNING"])
    run.refresh_from_db()
    victim = Node.objects.get(pk=run.node).pid
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: states("long") == ["LOST"], 15)
    os.kill(victim, signal.SIGCONT)
    wait_until(lambda: JobRun.objects.get().late_result, 15)
    assert JobRun.objects.get().state == RunState.LOST
    assert_figures_true()
    assert first.process.poll() is None


def test_database_that_goes_away_costs_no_run_that_still_runs(site, wait_until):
    site.declare(
        declaration("long", callable="wait", kwargs={"seconds": OUTAGE_S / 2}, cron=NEVER),
        site.noting("beat", cron="every 1 s"),
    )
    with proxied(site) as proxy:
        scheduler = site.scheduler()
        run_now("long")
        wait_until(lambda: states("long") == ["RUNNING"])
        proxy.cut()
        time.sleep(OUTAGE_S)  # the outage itself
        assert scheduler.process.poll() is None
        before = JobRun.objects.filter(job="beat").count()
        proxy.restore()
        wait_until(lambda: states("long") == ["SUCCESS"], 15)
        wait_until(lambda: JobRun.objects.filter(job="beat", state="SUCCESS").count() > before, 15)
        assert not JobRun.objects.filter(state="LOST").exists()
        assert scheduler.stop() == 0


def test_connections_cut_at_random_leave_no_run_open(site, wait_until):
    site.declare(*[site.noting(f"job{n}", cron="every 1 s") for n in range(5)])
    scheduler = site.scheduler()
    for _ in range(60 if LONG else 12):
        time.sleep(0.25)  # the instant of the cut, not a wait
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "ORDER BY random() LIMIT 2"
            )
    assert scheduler.process.poll() is None
    done = JobRun.objects.filter(state="SUCCESS").count()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > done + 5, 15)
    assert scheduler.stop() == 0
    assert not JobRun.objects.filter(state="RUNNING").exists()
    assert_figures_true()
