"""P1: every slot has one row, and for one row the body starts at most once, whoever is killed or stopped."""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from scheduler_app import claims, mirror, slots
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, Node, Timetable
from scheduler_app.states import OPEN_STATES, JobState
from tests.factories import declaration, make_due, make_job, make_node
from tests.ledger import assert_figures_true, assert_whole
from tests.promises.threads import run_in_threads
from tests.site import all_final, kill

LONG = bool(os.environ.get("VIGIL_TEST_LONG"))
ON_POSTGRES = connection.vendor == "postgresql"

pytestmark = [
    pytest.mark.skipif(not ON_POSTGRES, reason="several schedulers need PostgreSQL"),
    pytest.mark.timeout(3000 if LONG else 300),
]


def load(site, count: int = 12):
    site.declare(
        *[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(count)],
        site.noting("resting", cron="every 1 s", blackouts=["00:00-12:00", "12:00-24:00"]),
        site.noting("slow", callable="note_and_wait", cron="every 2 s", kwargs={"seconds": 0.4}),
    )


def settle(site, wait_until):
    """Stop all jobs, let a living scheduler end what is left, and hold the ledger against the rules."""
    for job_id in list(Timetable.objects.values_list("pk", flat=True)):
        mirror.set_enabled(job_id, False, by="test")
    wait_until(all_final, 30)
    assert_whole()
    assert_figures_true()
    for job_id in Timetable.objects.values_list("pk", flat=True):  # operators are told the same
        told = slots.read(job_id, db_now() - timedelta(hours=1), db_now())
        assert [line for line in told if line.is_wrong or line.state == "DUE"] == []
    twice = {run: count for run, count in Counter(site.traced()).items() if count > 1}
    assert not twice, "bodies that started twice for one row"
    ran = set(JobRun.objects.filter(state="SUCCESS").values_list("pk", flat=True))
    assert ran <= {int(run) for run in site.traced()}


def test_schedulers_killed_at_random_lose_no_slot_and_repeat_none(site, wait_until):
    load(site)
    running = site.together(*[site.scheduler] * 3)
    for number in range(200 if LONG else 20):
        time.sleep(random.uniform(0.2, 0.8))  # the instant of the kill, not a wait
        victim = running.pop(random.randrange(len(running)))
        kill(victim)
        running.append(site.scheduler(ready=number % 2 == 0))
    settle(site, wait_until)
    assert JobRun.objects.filter(state="SUCCESS").count() > 20
    rest = JobRun.objects.get(job="resting")  # one row, whoever found the next of its slots
    assert (rest.state, rest.reason) == ("SKIPPED", "BLACKOUT")
    assert rest.slot_count > 5


def test_scheduler_that_is_stopped_holds_nobody_up_and_starts_nothing_when_it_wakes(
    site, wait_until
):
    load(site)
    stopped, other = site.together(site.scheduler, site.scheduler)
    stopped.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: JobRun.objects.filter(state="LOST").exists() or _declared_dead(stopped), 20)
    before = JobRun.objects.filter(state="SUCCESS").count()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > before + 15, 10)
    stopped.process.send_signal(signal.SIGCONT)
    time.sleep(1.0)  # in which it would do harm
    assert other.process.poll() is None
    settle(site, wait_until)


def test_claims_of_many_threads_share_out_every_slot_once(transactional_db):
    for number in range(40):
        make_job(f"job{number}")
        make_due(f"job{number}")
    run_in_threads(8, lambda: claims.claim(limit=7))
    assert JobRun.objects.count() == 40
    assert JobRun.objects.values("job", "slot").distinct().count() == 40


def test_takes_of_many_threads_start_every_run_once(transactional_db):
    job = make_job("a", overlap="parallel")
    for _ in range(60):
        claims.request_run(job)
    node = make_node().pk
    taken: list[int] = []

    def take() -> None:
        while runs := claims.take(node, uuid.uuid4().hex, 5):
            taken.extend(run.run_id for run in runs)

    run_in_threads(6, take)
    assert len(taken) == len(set(taken)) == 60


def test_jobs_that_may_not_overlap_start_once_however_many_nodes_ask(transactional_db):
    job = make_job("a")
    for _ in range(8):
        claims.request_run(job)
    nodes = [make_node().pk for _ in range(4)]
    run_in_threads(4, lambda number: claims.take(nodes[number], f"token-{number}", 5))
    assert JobRun.objects.filter(state="RUNNING").count() == 1
    assert not JobRun.objects.filter(state="QUEUED").exists()


def test_edits_in_between_lose_no_slot(site, wait_until):
    load(site, count=3)
    site.scheduler()
    for number in range(8):
        mirror.edit("job0", {"cron": f"every {1 + number % 2} s"}, by="olga")
        mirror.set_enabled("job1", number % 2 == 1, by="olga")
        time.sleep(random.uniform(0.1, 0.6))  # the instant of the edit, not a wait
    settle(site, wait_until)


def test_file_that_changes_while_schedulers_run_loses_no_slot(site, wait_until):
    load(site, count=2)
    site.scheduler()
    site.declare(
        site.noting("job0", cron="every 2 s", overlap="parallel"),
        declaration("new", cron="* * * * *"),
    )
    assert site.manage("sync_jobs").wait() == 0
    orphan = Timetable.objects.get(pk="job1")
    assert (orphan.next_run_time, orphan.job.state) == (None, JobState.ORPHANED)
    assert not JobRun.objects.filter(job="new", state__in=OPEN_STATES).exists()
    settle(site, wait_until)


def _declared_dead(process) -> bool:
    return Node.objects.filter(pid=process.pid, state="DEAD").exists()
