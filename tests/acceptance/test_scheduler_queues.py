"""`manage.py runscheduler` and the queues of jobs."""

from __future__ import annotations

from scheduler_app import claims
from scheduler_app.models import JobRun, Node, ScheduledJob
from tests.factories import declaration
from tests.site import states

NEVER = "0 0 1 1 *"


def run_now(job_id: str) -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


def test_scheduler_runs_the_queues_that_it_was_given_and_claims_for_all(site, wait_until):
    site.declare(
        site.noting("big", cron=NEVER, queue="heavy"),
        site.noting("beat", cron="every 1 s", overlap="parallel"),
    )
    site.scheduler("--queues", "heavy, other")
    run_now("big")
    wait_until(lambda: states("big") == ["SUCCESS"])
    wait_until(lambda: len(states("beat")) >= 2)
    assert set(states("beat")) == {"QUEUED"}
    assert Node.objects.get().queues == "heavy,other"


def test_queues_belong_to_the_workers_where_celery_executes(site):
    site.env |= {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    process = site.manage("runscheduler", "--queues", "heavy")
    assert process.wait() == 2
    assert "give it to the workers: -Q" in process.err


def test_celery_without_a_broker_is_told(site):
    site.declare(declaration("a"))
    site.env |= {"SCHEDULER_EXECUTOR": "celery"}
    process = site.manage("runscheduler")
    assert process.wait() == 2
    assert "CELERY_BROKER_URL is not set, nor is REDIS_URL" in process.err
    assert "Traceback" not in process.err
    assert not Node.objects.exists()
