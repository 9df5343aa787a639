"""Runs that can be ended, in real schedulers: time limits, shutdown, and what is left when the scheduler is killed."""

from __future__ import annotations

import json
import os
import signal
import time

import psutil
import pytest

from alerts_app.models import AlertRecord
from scheduler_app import claims, requests
from scheduler_app.models import JobRun, Node, ScheduledJob
from scheduler_app.states import Reason, RunState
from tests import servers
from tests.factories import declaration
from tests.ledger import assert_figures_true
from tests.site import kill, states

NEVER = "0 0 1 1 *"
GRACE_S = 2.0


@pytest.fixture(autouse=True)
def no_process_is_left(tmp_path):
    """Whatever a test does to a scheduler, nothing that it started outlives it for long."""
    yield
    servers.wait_until(lambda: not processes_of(tmp_path), 3)


def processes_of(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VAR_DIR") == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


def run_now(job_id):
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


def child(job_id, callable, **fields):
    return declaration(
        job_id, module="tests.child_jobs", callable=callable, **{"cron": NEVER, **fields}
    )


@pytest.fixture
def family(tmp_path, wait_until):
    """A file for the numbers of a family of three, and a function that waits until they are there."""
    path = tmp_path / "family"

    def numbers():
        wait_until(path.exists)
        return wait_until(lambda: (found := path.read_text().split())[2:] and found)

    return path, lambda: [int(one) for one in numbers()]


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_run_over_its_limit_is_ended_told_and_holds_up_nobody(site, wait_until, family):
    path, numbers = family
    site.declare(
        child("over", "deaf_family", kwargs={"path": str(path)}, timeout_s=1.5),
        site.noting("beat", cron="every 1 s"),
    )
    scheduler = site.scheduler()
    wait_until(lambda: states("beat"))
    run = run_now("over")
    begin_s = time.monotonic()
    pids = numbers()
    wait_until(lambda: states("over") == ["TIMEOUT"], 1.5 + GRACE_S + 2)
    assert time.monotonic() - begin_s < 1.5 + GRACE_S + 2
    run.refresh_from_db()
    assert run.error.startswith("stopped after its time limit of 1.5 s")
    assert "INFO tests.child_jobs: all are there" in run.log
    assert not any(map(is_alive, pids))
    meanwhile = JobRun.objects.filter(
        job="beat", state="SUCCESS", slot__gt=run.started_at, finished_at__lt=run.finished_at
    )
    assert meanwhile.count() >= 2
    assert max(one.lag_ms for one in meanwhile) < 1000
    wait_until(AlertRecord.objects.exists)
    assert AlertRecord.objects.get().labels["state"] == "TIMEOUT"
    wait_until(lambda: list(site.logged("job_run_failed")))
    (record,) = site.logged("job_run_failed")
    assert (record["run_id"], record["outcome"]) == (run.pk, "TIMEOUT")
    assert_figures_true()
    assert scheduler.stop() == 0


def test_what_a_child_logs_is_in_the_log_and_on_stdout_as_that_of_a_thread(site, wait_until):
    site.declare(
        declaration("thread", callable="speak", cron=NEVER),
        declaration("child", callable="speak", cron=NEVER, timeout_s=30),
    )
    scheduler = site.scheduler()
    runs = [run_now("thread"), run_now("child")]
    wait_until(lambda: states("thread") == states("child") == ["SUCCESS"])
    assert scheduler.stop() == 0
    assert len(list(site.logged("a log line"))) == 2
    assert scheduler.out.count('"event": "a log line"') == 2
    for run in runs:
        run.refresh_from_db()
        assert "a printed line" in run.log
        assert "INFO tests.jobs: a log line" in run.log
        assert run.result == json.dumps({"run": run.pk})
        told = {record["event"] for record in site.logged() if record.get("run_id") == run.pk}
        assert told == {"job_run_start", "job_run_success", "job_completed"}


def test_killed_scheduler_leaves_no_child_and_no_grandchild(site, wait_until, family):
    path, numbers = family
    site.declare(child("long", "deaf_family", kwargs={"path": str(path)}, timeout_s=60))
    scheduler = site.scheduler()
    run_now("long")
    pids = numbers()
    assert all(map(is_alive, pids))
    kill(scheduler)
    wait_until(lambda: not any(map(is_alive, pids)), 1)


def test_scheduler_that_stands_still_does_not_lengthen_a_time_limit(site, wait_until, family):
    path, numbers = family
    site.declare(child("long", "deaf_family", kwargs={"path": str(path)}, timeout_s=1.5))
    scheduler = site.scheduler()
    run_now("long")
    pids = numbers()
    os.kill(scheduler.pid, signal.SIGSTOP)
    wait_until(lambda: not any(map(is_alive, pids)), 1.5 + GRACE_S + 1)
    os.kill(scheduler.pid, signal.SIGCONT)
    wait_until(lambda: states("long")[0] in ("TIMEOUT", "LOST"))


def test_stopping_ends_children_in_time_and_keeps_what_they_said(site, wait_until, tmp_path):
    site.declare(
        child("tidy", "clean_up", kwargs={"path": str(tmp_path / "trace")}, timeout_s=60),
        child("deaf", "deaf", timeout_s=60),
        child("quick", "finish_in_spite", kwargs={"seconds": 2}, timeout_s=60),
    )
    scheduler = site.scheduler()
    for job in ("tidy", "deaf", "quick"):
        run_now(job)
    wait_until(lambda: JobRun.objects.filter(log__contains="I hear nothing").exists())
    wait_until(lambda: JobRun.objects.filter(state="RUNNING").count() == 3)
    begin_s = time.monotonic()
    assert scheduler.stop(timeout_s=11) == 0
    assert time.monotonic() - begin_s < 10
    assert states("quick") == ["SUCCESS"]
    tidy, deaf = JobRun.objects.get(job="tidy"), JobRun.objects.get(job="deaf")
    for run in (tidy, deaf):
        assert (run.state, run.reason) == (RunState.LOST, Reason.SHUTDOWN)
    assert "cleaning up" in tidy.log
    assert "I hear nothing" in deaf.log
    assert (tmp_path / "trace").read_text() == "clean"
    assert_figures_true()


def test_drain_waits_for_threads_and_children(site, wait_until):
    site.declare(
        declaration("thread", callable="wait", kwargs={"seconds": 3}, cron=NEVER),
        child("child", "finish_in_spite", kwargs={"seconds": 3}, timeout_s=60),
    )
    scheduler = site.scheduler("--drain")
    run_now("thread")
    run_now("child")
    wait_until(lambda: states("thread") == states("child") == ["RUNNING"])
    assert scheduler.stop(timeout_s=20) == 0
    assert states("thread") == states("child") == ["SUCCESS"]


def test_once_runs_children_too_and_ends(site):
    site.declare(
        child("quick", "echo", kwargs={"value": 1}, timeout_s=60),
        child("over", "clean_up", kwargs={"path": os.devnull}, timeout_s=0.5),
    )
    assert site.manage("sync_jobs").wait() == 0
    for job in ("quick", "over"):
        run_now(job)
    assert site.manage("runscheduler", "--once").wait(30) == 0
    assert (states("quick"), states("over")) == (["SUCCESS"], ["TIMEOUT"])


def test_threads_that_hang_neither_keep_others_from_running_nor_from_being_ended(site, wait_until):
    hung = [
        declaration(f"hung{n}", callable="wait", kwargs={"seconds": 600}, cron=NEVER)
        for n in range(20)
    ]
    site.declare(
        *hung,
        child("over", "deaf", timeout_s=0.5),
        declaration("quick", callable="succeed", cron=NEVER, timeout_s=60),
        declaration("thread", cron=NEVER),
    )
    scheduler = site.scheduler("--threads", "22")
    for job in hung:
        run_now(job["id"])
    wait_until(lambda: JobRun.objects.filter(state="RUNNING").count() == 20)
    begin_s = time.monotonic()
    for job in ("over", "quick", "thread"):
        run_now(job)
    wait_until(lambda: states("over") == ["TIMEOUT"], 0.5 + GRACE_S + 2)
    wait_until(lambda: states("quick") == states("thread") == ["SUCCESS"])
    assert time.monotonic() - begin_s < 0.5 + GRACE_S + 2
    assert not list(site.logged("pool_saturated"))
    kill(scheduler)


def test_pool_that_is_full_for_too_long_is_told_once_and_its_children_are_ended_all_the_same(
    site, wait_until
):
    site.declare(
        declaration("hung", callable="wait", kwargs={"seconds": 600}, cron=NEVER),
        child("over", "deaf", timeout_s=4.0),
        declaration("waits", cron=NEVER),
    )
    scheduler = site.scheduler("--threads", "2")
    hung, over = run_now("hung"), run_now("over")
    wait_until(lambda: JobRun.objects.filter(state="RUNNING").count() == 2)
    run_now("waits")
    (record,) = wait_until(lambda: list(site.logged("pool_saturated")))
    assert record["level"] == "warning"
    assert record["longest"] == [f"hung #{hung.pk}", f"over #{over.pk}"]
    wait_until(lambda: Node.objects.get().slots_busy == 2)
    assert states("waits") == ["QUEUED"]
    wait_until(lambda: states("over") == ["TIMEOUT"])
    wait_until(lambda: states("waits") == ["SUCCESS"])
    wait_until(lambda: list(site.logged("pool_has_room")))
    assert len(list(site.logged("pool_saturated"))) == 1
    kill(scheduler)


def test_run_in_a_process_is_ended_when_somebody_cancels_it(site, wait_until, family):
    path, numbers = family
    site.declare(child("long", "deaf_family", kwargs={"path": str(path)}, timeout_s=60))
    scheduler = site.scheduler()
    run = run_now("long")
    pids = numbers()
    requests.cancel(run.pk, by="olga")
    wait_until(lambda: states("long") == ["CANCELLED"], GRACE_S + 3)
    run.refresh_from_db()
    assert (run.reason, run.error) == (Reason.BY_PERSON, "cancelled by olga")
    assert "all are there" in run.log
    assert not any(map(is_alive, pids))
    assert not AlertRecord.objects.exists()
    wait_until(lambda: list(site.logged("job_run_cancelled")))
    assert_figures_true()
    assert scheduler.stop() == 0


def test_run_in_a_thread_ends_if_it_looks_and_goes_on_if_not(site, wait_until, tmp_path):
    site.declare(
        child("looks", "heed", kwargs={"path": str(tmp_path / "trace")}),
        declaration("blind", callable="wait", kwargs={"seconds": 5}, cron=NEVER),
    )
    scheduler = site.scheduler()
    runs = [run_now("looks"), run_now("blind")]
    wait_until(lambda: states("looks") == states("blind") == ["RUNNING"])
    for run in runs:
        requests.cancel(run.pk, by="olga")
    wait_until(lambda: states("looks") == ["CANCELLED"])
    assert states("blind") == ["RUNNING"]
    wait_until(lambda: states("blind") == ["SUCCESS"])
    assert JobRun.objects.get(job="blind").reason == Reason.NONE
    assert scheduler.stop() == 0


def test_newer_run_takes_the_place_of_one_that_would_not_end(site, wait_until):
    site.declare(child("job", "deaf", overlap="replace"))
    scheduler = site.scheduler()
    run_now("job")
    wait_until(lambda: JobRun.objects.filter(log__contains="I hear nothing").exists())
    run_now("job")
    wait_until(lambda: states("job") == ["CANCELLED", "RUNNING"], GRACE_S + 4)
    first, second = JobRun.objects.order_by("pk")
    assert (first.reason, first.error) == (Reason.REPLACED, "a newer run took its place")
    assert second.started_at >= first.finished_at
    kill(scheduler)


def test_run_over_its_limit_is_tried_again_and_only_the_last_try_is_told(site, wait_until):
    site.declare(
        child("over", "deaf", timeout_s=0.3, max_retries=1, retry_backoff_s=0.1,
              retry_on=["TimeoutError"])
    )  # fmt: skip
    scheduler = site.scheduler()
    run_now("over")
    wait_until(lambda: states("over") == ["TIMEOUT", "TIMEOUT"], 20)
    wait_until(AlertRecord.objects.exists)
    assert AlertRecord.objects.get().labels["run_id"] == JobRun.objects.latest("pk").pk
    assert scheduler.stop() == 0


def test_fork_server_that_is_killed_costs_the_runs_that_it_watched_and_no_other(
    site, wait_until, family
):
    path, numbers = family
    site.declare(
        child("long", "deaf_family", kwargs={"path": str(path)}, timeout_s=60),
        child("next", "echo", kwargs={"value": 1}, timeout_s=60),
        declaration("thread", callable="wait", kwargs={"seconds": 2}, cron=NEVER),
    )
    scheduler = site.scheduler()
    run_now("thread")
    run_now("long")
    pids = numbers()
    (server,) = psutil.Process(scheduler.pid).children()
    server.kill()
    wait_until(lambda: states("long") == ["FAILED"])
    wait_until(lambda: not any(map(is_alive, pids)), 1)
    run_now("next")
    wait_until(lambda: states("next") == states("thread") == ["SUCCESS"])
    assert scheduler.stop() == 0
