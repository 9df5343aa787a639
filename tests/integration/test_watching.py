"""A stock APScheduler in this process, watched: what it does is on record, and it notices nothing."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from django.db import OperationalError, transaction
from django.db.backends.signals import connection_created

import scheduler_app
from alerts_app.models import AlertRecord
from scheduler_app import (
    epochs,
    explain,
    jobfile,
    ledger,
    mirror,
    requests,
    verify_live,
    watched_runs,
)
from scheduler_app.clock import db_now
from scheduler_app.declarations import ID
from scheduler_app.errors import WatchedJobError
from scheduler_app.export import as_python
from scheduler_app.models import JobRun, LastRun, ScheduledJob, Timetable
from scheduler_app.states import JobState, Reason, RunState
from scheduler_app.watched_jobs import SOURCE, id_of
from tests.factories import declaration, make_user, sync
from tests.ledger import assert_figures_true

pytestmark = pytest.mark.django_db(transaction=True)


def boom():
    raise ValueError("password=hunter2-hunter2")


def nap(seconds=0.3):
    time.sleep(seconds)


@pytest.fixture
def scheduler():
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"misfire_grace_time": 30})
    yield scheduler
    if scheduler.running:
        scheduler.shutdown()


@pytest.fixture
def watch(scheduler):
    watch = scheduler_app.watch(scheduler, name="legacy", owner="olga")
    scheduler.start()
    yield watch
    watch.stop()


@pytest.fixture
def fire(scheduler, watch):
    """`fire(function, id=...)` has the scheduler run it once, now."""

    def fire(function, *args, id="job", ago_s=0.0, **options):
        slot = datetime.now(UTC) - timedelta(seconds=ago_s)
        scheduler.add_job(function, DateTrigger(slot), args=args, id=id, **options)

    return fire


@pytest.fixture
def run(fire, wait_until):
    """Like `fire`; returns the row of the run."""

    def run(function, *args, id="job", count=1, **options):
        fire(function, *args, id=id, **options)
        runs = JobRun.objects.filter(job=id_of("legacy", id)).order_by("-pk")
        return wait_until(lambda: runs.count() == count and runs[0])

    return run


def test_run_is_a_row_with_figures(run):
    row = run(nap)
    assert (row.state, row.trigger, row.epoch) == (RunState.SUCCESS, "WATCHED", None)
    assert 300 <= row.duration_ms < 600
    assert row.slot <= row.started_at < row.finished_at
    assert LastRun.objects.get().run == row.pk
    assert_figures_true()


def test_time_in_the_queue_of_the_pool_is_not_run_time(scheduler, watch, run, wait_until):
    scheduler.add_executor(ThreadPoolExecutor(1), "narrow")
    now = datetime.now(UTC)
    for number in range(3):
        scheduler.add_job(nap, DateTrigger(now), id=f"nap{number}", executor="narrow")
    wait_until(lambda: JobRun.objects.count() == 3)
    rows = JobRun.objects.all()
    assert all(300 <= row.duration_ms < 600 for row in rows)
    assert max(row.lag_ms for row in rows) >= 600


def test_failure_is_a_row_with_error_and_traceback_and_alerts_the_owner(run):
    row = run(boom)
    assert (row.state, row.error) == (RunState.FAILED, "ValueError: password=***")
    assert "in boom" in row.traceback
    assert "hunter2" not in row.traceback
    alert = AlertRecord.objects.get()
    assert (alert.owner, alert.labels["job_id"]) == ("olga", "legacy.job")


def test_missed_run_is_a_row(run):
    row = run(nap, ago_s=60, misfire_grace_time=1)
    assert (row.state, row.reason, row.started_at) == (RunState.MISSED, Reason.GRACE, None)
    assert "misfire_grace_time" in row.error


def test_run_that_finds_another_going_on_is_a_skipped_row(scheduler, watch, wait_until):
    scheduler.add_job(nap, "interval", args=[2.5], seconds=1, id="slow")
    skipped = JobRun.objects.filter(job="legacy.slow", state="SKIPPED")
    row = wait_until(skipped.first)
    assert (row.reason, row.slot_count) == (Reason.OVERLAP, 1)


def test_runs_that_were_caught_up_one_by_one_are_a_row_each(scheduler, watch, wait_until):
    since = datetime.now(UTC) - timedelta(seconds=3.5)
    trigger = CronTrigger(second="*", start_date=since, timezone=UTC)
    scheduler.add_job(nap, trigger, args=[0], id="many", coalesce=False, next_run_time=since)
    rows = JobRun.objects.filter(job="legacy.many", state="SUCCESS")
    wait_until(lambda: rows.count() >= 3)
    assert len(set(rows.values_list("slot", flat=True))) == rows.count()


def test_job_is_there_from_its_first_run_on_and_is_nobodys_to_schedule(scheduler, watch, run):
    run(nap, 0, id="Nightly Report", name="Nightly  report")
    job = ScheduledJob.objects.get()
    assert job.pk == id_of("legacy", "Nightly Report")
    assert (job.state, job.source, job.owner) == (JobState.WATCHED, f"{SOURCE}legacy", "olga")
    assert (job.name, job.module, job.callable) == ("Nightly report", __name__, "nap")
    assert job.cron.startswith("date[")
    assert not epochs.is_on(job)
    assert Timetable.objects.get().next_run_time is None


def test_job_that_changed_is_renewed(run):
    run(nap, 0, name="before")
    run(boom, name="after", count=2)
    job = ScheduledJob.objects.get()
    assert (job.name, job.callable, job.revision) == ("after", "boom", 2)


@pytest.mark.parametrize(
    ("theirs", "begin"),
    [
        ("clean_up", "legacy.clean_up"),
        ("a.b-c", "legacy.a.b-c"),
        ("Clean Up", "legacy.clean_up-"),
        ("x" * 300, "legacy.xxx"),
        ("报告\0", "legacy._-"),
        ("", "legacy."),
    ],
)
def test_every_id_of_theirs_is_one_of_ours_that_the_job_file_may_hold(theirs, begin):
    found = id_of("legacy", theirs)
    assert found.startswith(begin)
    assert ID.fullmatch(found)
    assert id_of("legacy", f"{theirs} ") != found


def test_nobody_changes_or_starts_a_watched_job(run, client):
    run(nap, 0)
    for act in (
        lambda: mirror.edit("legacy.job", {"owner": "otto"}, by="boss"),
        lambda: mirror.set_enabled("legacy.job", False, by="boss"),
        lambda: mirror.reset("legacy.job", by="boss"),
        lambda: requests.run_now("legacy.job", requested_by="boss"),
    ):
        with pytest.raises(WatchedJobError, match="watched:legacy"):
            act()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    admin = "/admin/scheduler_app/scheduledjob/legacy.job/change/"
    assert client.get(admin).status_code == 200
    assert client.post(admin, {"owner": "otto"}).status_code == 403
    api = "/api/v1/scheduler/jobs/legacy.job"
    assert client.patch(api, '{"owner": "otto"}', "application/json").status_code == 409
    assert client.post(f"{api}/run", "{}", "application/json").status_code == 409
    html = client.get("/jobs/legacy.job/").content.decode()
    assert "Vigil only looks on" in html
    assert "/jobs/legacy.job/run/" not in html
    for address in ("/jobs/", "/jobs/?state=watched"):
        assert 'id="vg-job-legacy.job"' in client.get(address).content.decode()
    assert (
        "run by another scheduler"
        in client.get("/admin/scheduler_app/scheduledjob/").content.decode()
    )


def test_sync_export_and_verification_leave_watched_jobs_alone(run, tmp_path):
    run(nap, 0)
    report = sync(declaration("ours"))
    assert report.orphaned == []
    assert ScheduledJob.objects.get(pk="legacy.job").state == JobState.WATCHED
    file = jobfile.parse("tests.job_file", [declaration("ours")])
    assert "legacy" not in as_python(file)
    assert [plan.job_id for plan in explain.explain(file).jobs] == ["ours"]
    live = verify_live.look(file, db_now())
    assert not [one for one in verify_live.findings(live) if one.job == "legacy.job"]


def test_job_that_moves_into_the_job_file_takes_its_history_along(run, fire, caplog, wait_until):
    row = run(nap, 0)
    sync(declaration("legacy.job"))
    job = mirror.get("legacy.job")
    assert (job.state, job.callable, epochs.is_on(job)) == (JobState.ACTIVE, "succeed", True)
    assert row.job_id == job.pk
    fire(nap, 0)
    wait_until(lambda: "watched_job_is_declared" in caplog.text)
    run(nap, 0, id="other")
    assert JobRun.objects.filter(job="legacy.job").count() == 1


def test_slot_that_two_schedulers_run_is_two_rows(run, watch, wait_until):
    row = run(nap, 0)
    fields = ("trigger", "state", "slot", "ready_at", "queued_at", "finished_at")
    again = JobRun(job_id=row.job_id, **{name: getattr(row, name) for name in fields}, token="b")
    with transaction.atomic():
        ledger.insert_ended([again])
    second = JobRun.objects.get(token="b")
    assert (second.slot, second.ready_at) == (None, row.slot)
    assert "do two schedulers run it?" in second.log
    assert_figures_true()


def test_run_that_was_written_already_is_not_written_again(run):
    row = run(nap, 0)
    row.pk = None
    with transaction.atomic():
        ledger.insert_ended([row])
    assert JobRun.objects.count() == 1
    assert_figures_true()


def test_runs_wait_for_a_database_that_is_away(fire, monkeypatch, wait_until, caplog):
    store, is_away = watched_runs._store, threading.Event()

    def away(batch):
        if is_away.is_set():
            raise OperationalError("server closed the connection")
        store(batch)

    monkeypatch.setattr(watched_runs, "_store", away)
    is_away.set()
    for number in range(3):
        fire(nap, 0, id=f"n{number}")
    wait_until(lambda: caplog.text.count("watched_runs_wait_for_database") >= 2)
    assert not JobRun.objects.exists()
    is_away.clear()
    wait_until(lambda: JobRun.objects.count() == 3)
    assert_figures_true()


def test_when_too_many_wait_the_newest_are_dropped_and_counted(
    fire, watch, monkeypatch, wait_until, caplog
):
    monkeypatch.setattr(watched_runs, "MOST_WAITING", 1)
    store, free = watched_runs._store, threading.Event()

    def blocked(batch):
        assert free.wait(30)
        store(batch)

    monkeypatch.setattr(watched_runs, "_store", blocked)
    fire(nap, 0, id="a")
    wait_until(lambda: watch._runs._waiting)
    fire(nap, 0, id="b")
    wait_until(lambda: watch._runs._dropped)
    free.set()
    wait_until(lambda: "watched_runs_dropped" in caplog.text)
    assert JobRun.objects.get().job_id == "legacy.a"


def test_run_that_cannot_be_stored_holds_up_no_other(fire, run, monkeypatch, caplog, wait_until):
    store = watched_runs._store

    def refuse(batch):
        if any(sight.name == "odd" for sight, _ in batch):
            raise ValueError("odd")
        store(batch)

    monkeypatch.setattr(watched_runs, "_store", refuse)
    fire(nap, 0, id="odd", name="odd")
    run(nap, 0)
    wait_until(lambda: "watched_run_not_storable" in caplog.text)


def test_fault_of_ours_hinders_no_job(scheduler, watch, monkeypatch, caplog, wait_until):
    def broken(*_args, **_kwargs):
        raise RuntimeError("ours")

    monkeypatch.setattr("scheduler_app.watching.sight_of", broken)
    monkeypatch.setattr(watch, "_note_end", broken)
    ran = threading.Event()
    scheduler.add_job(ran.set, DateTrigger(datetime.now(UTC)), id="job")
    assert ran.wait(5)
    wait_until(lambda: caplog.text.count("watching_failed") == 2)
    assert "Error notifying listener" not in caplog.text


def test_scheduler_is_watched_once_and_by_a_plain_name(scheduler, watch):
    with pytest.raises(ValueError, match="watched already, as legacy"):
        scheduler_app.watch(scheduler, name="again")
    with pytest.raises(ValueError, match="at most 40"):
        scheduler_app.watch(BackgroundScheduler(), name="Old One")


def test_stopping_writes_what_was_seen_and_lets_go(scheduler, watch, run, wait_until):
    run(nap, 0)
    assert watch.stop()
    assert all("submit_job" not in vars(one) for one in scheduler._executors.values())
    ran = threading.Event()
    scheduler.add_job(ran.set, DateTrigger(datetime.now(UTC)), id="later")
    assert ran.wait(5)
    scheduler.shutdown()
    assert JobRun.objects.count() == 1
    scheduler_app.watch(scheduler, name="legacy").stop()


def test_no_connection_stays_open(run, wait_until):
    """Listeners run in the threads of the pool, where nobody would close one."""
    opened = {}

    def note(connection, **_):
        opened.setdefault(threading.current_thread().name, []).append(connection)

    connection_created.connect(note)
    try:
        run(nap, 0)
        run(nap, 0, count=2)
    finally:
        connection_created.disconnect(note)
    assert set(opened) - {"MainThread"} == {"vigil-watch"}
    wait_until(lambda: all(one.connection is None for one in opened["vigil-watch"]))


def test_short_jobs_are_timed_though_their_end_is_told_before_their_submission(
    scheduler, watch, wait_until
):
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    now = datetime.now(UTC)
    for number in range(30):
        scheduler.add_job(nap, DateTrigger(now), args=[0], id=f"n{number}")
    wait_until(lambda: JobRun.objects.count() == 30)
    assert max(JobRun.objects.values_list("duration_ms", flat=True)) < 100
