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
    """A worker of each pool, for jobs whose families do not hear SIGTERM."""
    site.env |= {
        "SCHEDULER_EXECUTOR": "celery",
        "CELERY_BROKER_URL": own_redis.url,
        "DJANGO_SETTINGS_MODULE": "tests.hasty_settings",
    }
    site.declare(family(site, "over", 1.5), family(site, "long", 60), family(site, "last", 60))
    process = site.celery_worker(pool=request.param, ready=False)
    site.scheduler()
    return process


def family(site, job_id: str, timeout_s: float):
    kwargs = {"path": str(site.folder / job_id)}
    fields = {"module": "tests.child_jobs", "callable": "deaf_family", "cron": NEVER}
    return declaration(job_id, kwargs=kwargs, timeout_s=timeout_s, **fields)


def run_now(job_id: str) -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


def pids_of(site, job_id: str, wait_until) -> list[int]:
    path = site.folder / job_id
    wait_until(lambda: path.exists() and len(path.read_text().split()) == 3)
    return [int(one) for one in path.read_text().split()]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_run_is_ended_by_its_limit_by_a_person_and_with_its_killed_worker(site, worker, wait_until):
    over, cancelled = run_now("over"), run_now("long")
    pids = pids_of(site, "over", wait_until)
    wait_until(lambda: states("over") == ["TIMEOUT"], 1.5 + GRACE_S + 2)
    over.refresh_from_db()
    assert "all are there" in over.log
    assert not any(map(is_alive, pids))

    pids = pids_of(site, "long", wait_until)
    assert all(map(is_alive, pids))
    requests.cancel(cancelled.pk, by="olga")
    wait_until(lambda: states("long") == ["CANCELLED"], GRACE_S + 4)
    assert not any(map(is_alive, pids))

    run_now("last")
    pids = pids_of(site, "last", wait_until)
    kill(worker)
    wait_until(lambda: not any(map(is_alive, pids)), 5)


def test_stopped_worker_ends_its_children(site, worker, wait_until):
    run = run_now("long")
    pids = pids_of(site, "long", wait_until)
    assert worker.stop() == 0
    run.refresh_from_db()
    assert run.state == RunState.LOST
    assert not any(map(is_alive, pids))
