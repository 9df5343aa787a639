"""A stock django-apscheduler beside ours on one database: neither disturbs the other, and all runs are on record."""

from __future__ import annotations

import sys

import pytest
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from alerts_app.models import AlertRecord
from scheduler_app.models import JobRun, ScheduledJob
from tests import environment, servers
from tests.ledger import assert_figures_true, assert_whole
from tests.site import kill

STATES = {
    DjangoJobExecution.SUCCESS: "SUCCESS",
    DjangoJobExecution.ERROR: "FAILED",
    DjangoJobExecution.MAX_INSTANCES: "SKIPPED",
}


@pytest.fixture
def stock(site):
    """`stock()` starts the other scheduler as a process; all end with the test."""
    started = []

    def start():
        command = [sys.executable, "-m", "tests.stock_scheduler", str(site.trace)]
        env = environment.clean(**site.env)
        started.append(servers.Running(command, env=env, folder=site.folder))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def theirs():
    """What the stock scheduler itself has on record: (job, slot, state)."""
    rows = DjangoJobExecution.objects.values_list("job_id", "run_time", "status")
    return {(f"stock.{job}", slot, STATES[status]) for job, slot, status in rows}


def ours():
    return set(JobRun.objects.filter(trigger="WATCHED").values_list("job_id", "slot", "state"))


def their_tables():
    return [
        list(model.objects.order_by("pk").values()) for model in (DjangoJob, DjangoJobExecution)
    ]


def test_neither_scheduler_disturbs_the_other_and_every_run_is_on_record(site, stock, wait_until):
    site.declare(site.noting("beat", cron="every 1 s"))
    mine, other = site.scheduler(), stock()
    wait_until(lambda: {state for _, _, state in ours()} == {"SUCCESS", "FAILED", "SKIPPED"}, 30)
    kill(mine)  # theirs goes on, whatever becomes of ours
    before = len(ours())
    wait_until(lambda: len(ours()) > before + 3, 20)
    mine = site.scheduler()
    assert other.stop() == 0, other.err
    assert ours() == theirs(), other.err
    assert JobRun.objects.filter(trigger="WATCHED").count() == len(theirs())

    tables, beats = their_tables(), JobRun.objects.filter(job="beat", state="SUCCESS").count()
    assert site.manage("sync_jobs").wait() == 0
    wait_until(lambda: JobRun.objects.filter(job="beat", state="SUCCESS").count() > beats + 2, 20)
    assert mine.stop() == 0
    assert their_tables() == tables

    noted = [line.split()[2:] for line in site.trace.read_text().splitlines()]
    assert noted.count(["stock"]) == len([one for one in ours() if one[0] == "stock.good"])
    assert assert_whole() > 3
    assert_figures_true()
    assert set(ScheduledJob.objects.filter(state="WATCHED").values_list("pk", flat=True)) == {
        "stock.good", "stock.bad", "stock.slow",
    }  # fmt: skip
    assert AlertRecord.objects.filter(labels__job_id="stock.bad").count() == 1


def test_second_life_of_the_other_scheduler_goes_on_where_the_first_ended(site, stock, wait_until):
    first = stock()
    wait_until(lambda: len(ours()) > 3, 30)
    kill(first)
    second, before = stock(), len(ours())
    wait_until(lambda: len(ours()) > before + 3, 30)
    assert second.stop() == 0, second.err
    slots = [(job, slot) for job, slot, _ in ours()]
    assert len(slots) == len(set(slots))
    assert_figures_true()
