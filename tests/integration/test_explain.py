"""`runscheduler --explain` says what a start does, and does nothing."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app import claims, explain, jobfile, mirror
from scheduler_app.clock import db_now
from scheduler_app.models import JobGate, JobRun, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import RunState
from tests.factories import SOURCE, declaration, make_due, make_node, sync

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now(monkeypatch):
    """The time at which everything happens."""
    moment = db_now().replace(second=30, microsecond=0)
    for module in (claims, explain, mirror):
        monkeypatch.setattr(module, "db_now", lambda: moment)
    return moment


def file_of(*declarations):
    return jobfile.parse(SOURCE, list(declarations), {})


def due_since(job_id: str, ago: timedelta) -> None:
    slot = make_due(job_id, ago).replace(second=0)
    ScheduleEpoch.objects.filter(job_id=job_id).update(opened_at=slot - MINUTE)
    Timetable.objects.filter(pk=job_id).update(next_run_time=slot)


def test_what_is_explained_is_what_a_start_does(now):
    before = [
        declaration("latest", cron="* * * * *"),
        declaration("all", cron="* * * * *", on_missed="all", max_catch_up=5, grace_s=3600),
        declaration("skip", cron="0 * * * *", on_missed="skip"),
        declaration("hourly", cron="0 * * * *", grace_s=7200),
        declaration("edited", cron="* * * * *", on_missed="all", max_catch_up=2, grace_s=600),
        declaration("policy", cron="* * * * *"),
        declaration("gone", cron="* * * * *"),
        declaration("off", cron="* * * * *"),
        declaration("idle", cron="0 0 1 1 *"),
    ]
    sync(*before)
    for entry in before[:-1]:
        due_since(entry["id"], timedelta(hours=3))
    after = {entry["id"]: dict(entry) for entry in before}
    after["edited"] |= {"cron": "0 4 * * *", "on_missed": "skip"}
    after["policy"] |= {"on_missed": "all", "max_catch_up": 3, "grace_s": 3600}
    after["off"]["enabled"] = False
    del after["gone"]
    file = file_of(*after.values(), declaration("new", cron="0 5 * * *"))

    with CaptureQueriesContext(connection) as captured:
        told = {plan.job_id: plan for plan in explain.explain(file).jobs}
    assert all(query["sql"].startswith("SELECT") for query in captured)
    assert not JobRun.objects.exists()

    mirror.sync(file)
    claims.claim()
    for job_id, plan in told.items():
        rows = JobRun.objects.filter(job_id=job_id).order_by("slot")
        passed = [(p.first, p.last, p.count, p.reason) for p in plan.passed]
        missed = [
            (row.slot, row.slot_last, row.slot_count, row.reason)
            for row in rows.filter(state="MISSED")
        ]
        queued = [row.slot for row in rows.filter(state="QUEUED")]
        if job_id in ("gone", "off"):  # they are queued, and end without a start
            assert [part for part in passed if part[3] == "DISABLED"] == [
                (slot, slot, 1, "DISABLED") for slot in queued
            ]
            passed = [part for part in passed if part[3] != "DISABLED"]
            queued = []
        assert (passed, plan.caught_up + plan.due) == (missed, queued), job_id
        assert plan.next_at == Timetable.objects.get(pk=job_id).next_run_time, job_id
    assert told["latest"].due
    assert (len(told["all"].due), len(told["all"].caught_up)) == (1, 4)
    changes = {name: plan.change for name, plan in told.items() if plan.change}
    assert changes == {
        "edited": "takes over cron, on_missed",
        "policy": "takes over grace_s, max_catch_up, on_missed",
        "off": "takes over enabled",
        "gone": "leaves the file",
        "new": "new",
    }


def test_a_job_that_cannot_be_computed_is_told_and_hides_no_other(now):
    sync(declaration("a"), declaration("b", cron="* * * * *"))
    due_since("a", MINUTE)
    due_since("b", MINUTE)
    ScheduleEpoch.objects.filter(job_id="a").update(
        definition={**ScheduleEpoch.objects.get(job_id="a").definition, "timezone": "Mars/Base"}
    )
    first, second = explain.explain(file_of(declaration("a"), declaration("b"))).jobs
    assert "cannot be computed" in first.error
    assert second.due


def test_a_thousand_jobs_after_a_day_take_seconds(now):
    sync(declaration("first", cron="* * * * *"))
    first = ScheduledJob.objects.get()
    values = {field.name: getattr(first, field.name) for field in first._meta.concrete_fields}
    jobs = [
        ScheduledJob(**{**values, "id": f"job{number}", "source": "elsewhere"})
        for number in range(1000)
    ]
    ScheduledJob.objects.bulk_create(jobs)
    definition = ScheduleEpoch.objects.get().definition
    since = now.replace(second=0) - timedelta(days=1)
    spans = ScheduleEpoch.objects.bulk_create(
        ScheduleEpoch(
            job_id=job.pk,
            opened_at=since,
            definition={**definition, "cron": f"*/{number % 7 + 1} * * * *"},
        )
        for number, job in enumerate(jobs)
    )
    Timetable.objects.bulk_create(
        Timetable(job=job, epoch=span.pk, next_run_time=since)
        for job, span in zip(jobs, spans, strict=True)
    )
    JobGate.objects.bulk_create(JobGate(job=job) for job in jobs)
    began_s = time.process_time()
    plan = explain.explain(file_of(declaration("first", cron="* * * * *")))
    assert time.process_time() - began_s < 20  # one by one they take minutes
    assert sum(part.count for one in plan.jobs for part in one.passed) > 300_000


# the command


@pytest.fixture
def job_file(tmp_path, monkeypatch, settings):
    monkeypatch.syspath_prepend(tmp_path)
    settings.VIGIL_SCHEDULER = {"JOB_FILE": "explained_jobs"}
    path = tmp_path / "explained_jobs.py"
    path.write_text(f"JOBS = {[declaration('a', cron='* * * * *')]!r}")
    mirror.sync(jobfile.load("explained_jobs"))
    return path


def test_the_command_says_it_job_by_job(job_file, capsys, now):
    due_since("a", timedelta(minutes=10))
    make_node(heartbeat_at=now)
    call_command("runscheduler", "--explain")
    said = capsys.readouterr()
    (line,) = said.out.splitlines()[1:]
    assert line.split()[:1] == ["a"]
    assert "MISSED" in line
    assert "run 1 slots that are due" in said.err
    assert "would change nothing" in said.err
    assert "1 schedulers are alive" in said.err
    assert not JobRun.objects.exclude(state=RunState.RUNNING).exists()


def test_json_has_every_slot_and_what_the_file_would_change(job_file, capsys, now):
    due_since("a", timedelta(minutes=10))
    job_file.write_text("JOBS = []")
    call_command("runscheduler", "--explain", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    assert told["sync"]["orphaned"] == ["a"]
    (job,) = told["jobs"]
    assert (job["change"], job["due"]) == ("leaves the file", [])
    assert sum(part["count"] for part in job["passed"]) >= 10
    assert ScheduledJob.objects.get().state == "ACTIVE"


def test_a_file_that_a_start_would_refuse_ends_with_2(job_file):
    job_file.write_text("JOBS = [{}]")
    with pytest.raises(CommandError, match="is missing") as end:
        call_command("runscheduler", "--explain")
    assert end.value.returncode == 2
