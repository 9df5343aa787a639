"""`manage.py runscheduler` as a process."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from datetime import timedelta

import pytest
from django.db import connection

from alerts_app.models import AlertRecord
from scheduler_app import claims, mirror
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, Node, ScheduledJob, Timetable
from scheduler_app.states import NodeKind, NodeState, Reason, RunState
from tests.factories import declaration
from tests.site import all_final, kill, states

NEVER = "0 0 1 1 *"


def run_now(job_id: str) -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


@pytest.fixture
def ended(wait_until):
    """Wait until a run is final and return it as it stands."""

    def ended(run: JobRun, timeout_s: float = 15) -> JobRun:
        def is_final() -> bool:
            run.refresh_from_db()
            return run.finished_at is not None

        wait_until(is_final, timeout_s)
        return run

    return ended


def test_job_fires_on_time_and_is_recorded(site, wait_until):
    site.declare(site.noting("beat", cron="every 1 s"))
    site.scheduler()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() >= 3, 20)
    runs = JobRun.objects.filter(state="SUCCESS")
    assert {str(run.pk) for run in runs} <= set(site.traced())
    assert max(run.lag_ms for run in runs) < 1000


def test_each_run_leaves_two_records_in_the_log_and_a_failure_every_field_of_the_guide(
    site, ended, wait_until
):
    site.declare(declaration("good", cron=NEVER), declaration("bad", callable="fail", cron=NEVER))
    scheduler = site.scheduler()
    good, bad = ended(run_now("good")), ended(run_now("bad"))
    wait_until(lambda: len(list(site.logged("job_completed"))) == 2)
    told = {(r["run_id"], r["event"]) for r in site.logged() if "run_id" in r}
    assert {(good.pk, "job_run_start"), (good.pk, "job_run_success")} <= told
    assert {(bad.pk, "job_run_start"), (bad.pk, "job_run_failed")} <= told
    outcomes = {r["run_id"]: r["outcome"] for r in site.logged("job_completed")}
    assert outcomes == {good.pk: "SUCCESS", bad.pk: "FAILED"}

    (record,) = site.logged("job_run_failed")
    wanted = {
        "job_id",
        "job_name",
        "owner",
        "category",
        "timestamp",
        "duration_ms",
        "error",
        "run_id",
    }
    assert wanted <= set(record)
    assert record["timestamp"].endswith("Z")
    line = json.dumps(record, ensure_ascii=False)
    wait_until(lambda: line in scheduler.out.splitlines())


ODD_BODIES = {
    "leave": (RunState.FAILED, "SystemExit: 3"),
    "skip": (RunState.SKIPPED, "nothing to do"),
    "missing": (RunState.FAILED, "tests.jobs has no 'missing'"),
    "succeed_async": (RunState.SUCCESS, ""),
    "return_unshowable": (RunState.SUCCESS, ""),
    "fail_hugely": (RunState.FAILED, "bytes left out"),
}


def test_odd_bodies_end_as_they_should_and_harm_nobody(site, ended):
    odd = [declaration(name, callable=name, cron=NEVER) for name in ODD_BODIES]
    site.declare(*odd, declaration("b", cron=NEVER))
    site.scheduler()
    for name, (state, error) in ODD_BODIES.items():
        run = ended(run_now(name))
        assert (name, run.state) == (name, state)
        assert error in run.error
        assert ended(run_now("b")).state == RunState.SUCCESS


def test_edit_is_in_force_within_a_second(site, wait_until):
    site.declare(declaration("late", cron=NEVER))
    site.scheduler()
    mirror.edit("late", {"cron": "every 1 s"}, by="olga")
    begun_s = time.monotonic()
    wait_until(lambda: JobRun.objects.filter(job="late").exists())
    assert time.monotonic() - begun_s < 2.0  # the interval itself and a second


def test_disabled_job_stops_at_once_and_start_says_so(site, wait_until):
    site.declare(declaration("off", enabled=False), declaration("on", cron="every 1 s"))
    site.scheduler()
    (record,) = site.logged("job_skipped_disabled")
    assert record["job_id"] == "off"
    wait_until(lambda: states("on"))
    mirror.set_enabled("on", False, by="olga")
    wait_until(all_final)
    before, later = len(states("on")), db_now() + timedelta(seconds=1.5)
    wait_until(lambda: Node.objects.filter(tick_at__gt=later).exists())  # a slot would have come
    assert len(states("on")) == before


def test_sigterm_ends_it_within_ten_seconds_and_says_what_was_lost(site, wait_until):
    site.declare(declaration("long", callable="wait", kwargs={"seconds": 60}, cron=NEVER))
    scheduler = site.scheduler()
    run = run_now("long")
    wait_until(lambda: states("long") == ["RUNNING"])
    begun_s = time.monotonic()
    assert scheduler.stop(timeout_s=11) == 0
    assert time.monotonic() - begun_s < 10
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.LOST, Reason.SHUTDOWN)
    assert Node.objects.get(pid=scheduler.pid).state == NodeState.STOPPED
    assert AlertRecord.objects.get().labels["state"] == "LOST"


def test_once_runs_what_is_due_and_ends(site):
    site.declare(site.noting("a", cron="* * * * *"), declaration("b", cron=NEVER))
    assert site.manage("sync_jobs").wait() == 0
    Timetable.objects.filter(pk="a").update(next_run_time=db_now())
    run_now("b")
    assert site.manage("runscheduler", "--once").wait(30) == 0
    assert (states("a"), states("b")) == (["SUCCESS"], ["SUCCESS"])
    assert len(site.traced()) == 1


def test_second_scheduler_is_kept_off_sqlite(site):
    site.scheduler()
    second = site.manage("runscheduler")
    assert second.wait() == 2
    assert "Another scheduler runs on this SQLite database" in second.err
    assert len(second.err.splitlines()) == 1


def test_scheduler_that_was_killed_leaves_runs_that_its_successor_ends_at_once(site, wait_until):
    site.declare(declaration("long", callable="wait", kwargs={"seconds": 60}, cron=NEVER))
    first = site.scheduler()
    run_now("long")
    wait_until(lambda: states("long") == ["RUNNING"])
    kill(first)
    site.scheduler()
    assert states("long") == ["LOST"]
    living = Node.objects.filter(kind=NodeKind.SCHEDULER, state=NodeState.ALIVE)
    assert living.count() == 1


def test_broken_job_file_is_told_in_one_go(site):
    site.declare({"id": "A b", "cron": "99 * * * *", "nmae": "x"}, declaration("b", owner=""))
    process = site.manage("runscheduler")
    assert process.wait() == 2
    for words in ("id 'A b'", "99 * * * *", "nmae", "Did you mean name?", "job b: owner", "module"):
        assert words in process.err
    assert "Traceback" not in process.err


def test_run_job_waits_shows_the_output_and_exits_by_the_outcome(site):
    site.declare(
        declaration("good", callable="speak", cron=NEVER),
        declaration("bad", callable="fail", cron=NEVER),
    )
    site.scheduler()
    good, bad = site.manage("run_job", "good", "--wait"), site.manage("run_job", "bad", "--wait")
    assert (good.wait(), bad.wait()) == (0, 1)
    assert "a printed line" in good.out
    assert "ValueError: boom" in bad.out


def test_run_job_refuses_parameters_that_the_callable_does_not_take(site):
    site.declare(declaration("a", cron=NEVER))
    site.manage("sync_jobs").wait()
    process = site.manage("run_job", "a", "--param", "colour=red")
    assert process.wait() == 2
    assert "colour" in process.err
    assert not JobRun.objects.exists()


def test_second_record_is_there_without_the_first(site, ended, wait_until):
    site.env["DJANGO_SETTINGS_MODULE"] = "tests.mute_settings"
    site.declare(declaration("good", cron=NEVER))
    site.scheduler()
    run = ended(run_now("good"))
    (record,) = wait_until(lambda: list(site.logged("job_completed")))
    assert (record["run_id"], record["outcome"]) == (run.pk, "SUCCESS")
    assert not list(site.logged("job_run_start", "job_run_success"))


def test_file_that_breaks_while_it_runs_is_told_and_the_last_good_one_stays(site, wait_until):
    site.env |= {"JOB_FILE": "team_jobs", "PYTHONPATH": str(site.folder)}
    path = site.folder / "team_jobs.py"
    good = f"JOBS = [{declaration('beat', cron='every 1 s')!r}]\n"
    path.write_text(good)
    site.scheduler()
    path.write_text("JOBS = [}\n")
    (record,) = wait_until(lambda: list(site.logged("job_file_broken")))
    assert "line 1" in record["error"]
    wait_until(lambda: Node.objects.filter(file_problem__contains="line 1").exists())
    count = len(states("beat"))
    wait_until(lambda: len(states("beat")) > count)
    path.write_text(good.replace("every 1 s", "every 2 s"))
    wait_until(lambda: ScheduledJob.objects.get(pk="beat").cron == "every 2 s")
    wait_until(lambda: not Node.objects.exclude(file_problem="").exists())


def test_database_that_is_locked_for_a_while_costs_no_run(site, wait_until):
    site.declare(site.noting("beat", cron="every 1 s"))
    scheduler = site.scheduler()
    wait_until(lambda: states("beat"))
    path = connection.settings_dict["NAME"]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(4.0)  # longer than the lease of 3 s
        other.execute("ROLLBACK")
    count = JobRun.objects.filter(state="SUCCESS").count()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > count + 3, 20)
    assert scheduler.process.poll() is None
    assert not JobRun.objects.filter(state="LOST").exists()
