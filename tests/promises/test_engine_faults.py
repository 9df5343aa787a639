"""P1 and P2 under faults of what the engine stands on: database, clock, threads, disk, and single poisonous jobs."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from scheduler_app import mirror
from scheduler_app.models import JobRun, Node, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import JobState, Reason, RunState
from tests.factories import declaration
from tests.ledger import assert_figures_true, assert_whole
from tests.site import all_final

JOBS = 498

pytestmark = [
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="the faults are those of PostgreSQL"
    ),
    pytest.mark.timeout(300),
]


def settle(site, wait_until):
    """No new slots; what is open ends; the ledger is whole, the figures are true, no body ran twice."""
    for job_id in list(Timetable.objects.values_list("pk", flat=True)):
        mirror.set_enabled(job_id, False, by="test")
    wait_until(all_final, 30)
    assert_whole()
    assert_figures_true()
    traced = site.traced()
    assert len(traced) == len(set(traced))


def backends() -> list[int]:
    """The server's processes for the site's connections, not for this test's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return [pid for (pid,) in cursor.fetchall()]


def answers() -> bool:
    with contextlib.suppress(OperationalError):
        connection.ensure_connection()
        return JobRun.objects.count() >= 0
    connection.close()
    return False


def crash_server(wait_until) -> None:
    """SIGKILL one of its processes: PostgreSQL ends all the others at once and recovers from its log."""
    os.kill(wait_until(backends)[0], signal.SIGKILL)
    wait_until(lambda: not answers())  # the server lets clients in until it has noticed
    wait_until(answers, 60)


def is_ours() -> bool:
    """Whether the server was started for these tests: nobody else's is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone()
    return "/vigil-postgres-" in folder


def test_database_server_that_crashes_five_times_costs_no_slot(site, wait_until):
    if not is_ours():
        pytest.skip("the database server is not one that was started for these tests")
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(6)])
    first, second = site.together(site.scheduler, site.scheduler)
    for _ in range(5):
        time.sleep(random.uniform(0.5, 1.5))  # the instant of the crash, not a wait
        crash_server(wait_until)
    done = JobRun.objects.filter(state="SUCCESS").count()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > done + 12, 30)
    assert first.process.poll() is None
    assert second.process.poll() is None
    settle(site, wait_until)


def test_clock_that_is_half_a_minute_ahead_starts_nothing_early(site, wait_until):
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(6)])
    site.env["DJANGO_SETTINGS_MODULE"] = "tests.skewed_settings"
    ahead = site.scheduler(ready=False)
    site.env["DJANGO_SETTINGS_MODULE"] = "tests.quick_settings"
    site.scheduler()
    wait_until(lambda: Node.objects.filter(pid=ahead.pid, tick_at__isnull=False).exists(), 20)
    done = JobRun.objects.filter(state="SUCCESS").count()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > done + 30, 40)
    assert ahead.process.poll() is None
    runs = list(JobRun.objects.exclude(started_at=None))
    early = [run for run in runs if run.slot and run.started_at and run.started_at < run.slot]
    assert not early
    late = [run for run in runs if run.lag_ms and run.lag_ms > 2000]
    assert len(late) <= len(runs) // 10
    settle(site, wait_until)


def test_one_poisonous_schedule_and_one_poisonous_result_hold_up_nobody(site, wait_until):
    site.declare(
        *[site.noting(f"job{n}", cron="every 2 s", overlap="parallel") for n in range(JOBS)],
        declaration("unstorable", cron="every 2 s", overlap="parallel"),
        declaration("unreadable", cron="every 2 s"),
    )
    with connection.cursor() as cursor:  # a result that this database refuses, whatever it is
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF NEW.job_id = 'unstorable' AND NEW.state = 'SUCCESS' THEN"
            " RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER refuse BEFORE UPDATE ON scheduler_app_jobrun"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        assert site.manage("sync_jobs").wait() == 0
        ScheduleEpoch.objects.filter(job="unreadable").update(definition={"cron": "rubbish"})
        site.scheduler()
        wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() >= 2 * JOBS, 60)
        lost = JobRun.objects.filter(job="unstorable", reason=Reason.RESULT_LOST)
        wait_until(lost.exists, 30)
        assert ScheduledJob.objects.get(pk="unreadable").state == JobState.BROKEN
        assert not JobRun.objects.filter(state=RunState.LOST).exclude(job="unstorable").exists()
        for job_id in list(Timetable.objects.values_list("pk", flat=True)):
            mirror.set_enabled(job_id, False, by="test")
        wait_until(all_final, 40)
        assert_figures_true()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse ON scheduler_app_jobrun; DROP FUNCTION refuse()")


def test_machine_that_gives_few_threads_is_told_and_runs_jobs(site, wait_until):
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(4)])
    site.env["DJANGO_SETTINGS_MODULE"] = "tests.crowded_settings"
    scheduler = site.scheduler()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > 12, 30)
    assert next(site.logged("threads_unavailable"))["threads"] >= 1
    assert scheduler.stop() == 0
    assert not JobRun.objects.filter(state="RUNNING").exists()


def test_full_disk_for_the_log_costs_no_run(site, wait_until):
    (site.folder / "log").mkdir(exist_ok=True)
    (site.folder / "log" / "scheduler.log").symlink_to("/dev/full")
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(4)])
    scheduler = site.scheduler()
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > 12, 30)
    assert "does not work" in scheduler.err
    assert '"event": "job_run_success"' in scheduler.out
    settle(site, wait_until)


def test_slots_wait_no_longer_than_seconds_when_one_scheduler_of_two_dies(site, wait_until):
    site.declare(*[site.noting(f"job{n}", cron="every 1 s", overlap="parallel") for n in range(5)])
    first, _second = site.together(site.scheduler, site.scheduler)
    wait_until(lambda: JobRun.objects.filter(state="SUCCESS").count() > 10, 20)
    begin = JobRun.objects.latest("pk").queued_at
    first.process.kill()
    first.process.wait()
    later = JobRun.objects.filter(slot__gt=begin, state="SUCCESS")
    wait_until(lambda: later.filter(slot__gt=begin + timedelta(seconds=4)).exists(), 30)
    slow = [run for run in later if run.queued_at - run.slot > timedelta(seconds=3)]
    assert not slow
    settle(site, wait_until)
