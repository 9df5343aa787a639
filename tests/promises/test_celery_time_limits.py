"""Time limits in Celery's workers are Vigil's, in every pool; what a killed worker started is ended."""

from __future__ import annotations

import psutil
import pytest

from scheduler_app import claims, requests
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.states import RunState
from tests.factories import declaration
from tests.site import kill, states

NEVER = "0 0 1 1 *"
GRACE_S = 2.0


@pytest.fixture(params=["prefork", "threads"])
def worker(request, site, own_redis):
    """A worker of each pool, for a job `long` whose family does not hear SIGTERM."""
    site.env |= {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": own_redis.url}

    def start(timeout_s):
        kwargs = {"path": str(site.folder / "family")}
        fields = {"module": "tests.child_jobs", "callable": "deaf_family", "cron": NEVER}
        site.declare(declaration("long", kwargs=kwargs, timeout_s=timeout_s, **fields))
        site.scheduler()
        return site.celery_worker(pool=request.param)

    return start


def run_now() -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk="long"))


def family_of(site, wait_until) -> list[int]:
    path = site.folder / "family"
    wait_until(lambda: path.exists() and len(path.read_text().split()) == 3)
    return [int(one) for one in path.read_text().split()]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_run_over_its_limit_is_ended_in_every_pool(site, worker, wait_until):
    worker(1.5)
    run = run_now()
    family = family_of(site, wait_until)
    wait_until(lambda: states("long") == ["TIMEOUT"], 1.5 + GRACE_S + 2)
    run.refresh_from_db()
    assert "all are there" in run.log
    assert not any(map(is_alive, family))


def test_cancelled_run_is_ended_in_every_pool(site, worker, wait_until):
    worker(60)
    run = run_now()
    family = family_of(site, wait_until)
    requests.cancel(run.pk, by="olga")
    wait_until(lambda: states("long") == ["CANCELLED"], GRACE_S + 4)
    assert not any(map(is_alive, family))


def test_stopped_worker_ends_its_children(site, worker, wait_until):
    process = worker(60)
    run = run_now()
    family = family_of(site, wait_until)
    assert process.stop() == 0
    run.refresh_from_db()
    assert run.state == RunState.LOST
    assert not any(map(is_alive, family))


def test_killed_worker_leaves_no_child(site, worker, wait_until):
    process = worker(60)
    run_now()
    family = family_of(site, wait_until)
    kill(process)
    wait_until(lambda: not any(map(is_alive, family)), 5)
