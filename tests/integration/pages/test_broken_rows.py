"""A page on which a person would correct a row opens, whatever is broken in that row, and says what it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from scheduler_app import claims
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduledJob, ScheduleEpoch, Timetable
from tests import factories

pytestmark = pytest.mark.django_db

JOB = "nightly"


def job(**columns: Any):
    return lambda: ScheduledJob.objects.filter(pk=JOB).update(**columns)


def epoch(definition: Any):
    return lambda: ScheduleEpoch.objects.filter(job_id=JOB).update(definition=definition)


def raw(column: str, value: str):
    """What only a statement past the ORM can store."""

    def store() -> None:
        cast = "::jsonb" if connection.vendor == "postgresql" else ""
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE scheduler_app_scheduledjob SET {column} = %s{cast}", [value])

    return store


def without_job() -> None:
    ScheduledJob.objects.filter(pk=JOB).delete()


def without_timetable() -> None:
    Timetable.objects.filter(pk=JOB).delete()


def without_epoch() -> None:
    ScheduleEpoch.objects.filter(job_id=JOB).delete()


def everything() -> None:
    ScheduledJob.objects.filter(pk=JOB).update(
        cron="rubbish", timezone="Mars/Olympus", calendar="nowhere?", args=5
    )
    ScheduleEpoch.objects.filter(job_id=JOB).update(definition=[])


BROKEN = {
    "cron": job(cron="rubbish"),
    "cron, empty": job(cron=""),
    "cron that is not canonical": job(cron="@daily"),
    "cron that never fires": job(cron="0 0 30 2 *"),
    "interval of nothing": job(cron="every 0 s"),
    "time of no year": job(cron="at 0001-01-01T00:00"),
    "time zone": job(timezone="Mars/Olympus"),
    "time zone that is a path": job(timezone="../../etc/passwd"),
    "time zone that is a folder": job(timezone="Asia"),
    "calendar": job(calendar="NOWHERE"),
    "calendar, odd": job(calendar="\u200b?:,"),
    "blackout": job(blackouts=["25:00-99:00"]),
    "blackouts, a number": job(blackouts=5),
    "blackouts, numbers": job(blackouts=[5, None]),
    "blackouts, an object": job(blackouts={"a": 1}),
    "gap": job(dst_gap="SOMEHOW"),
    "fold": job(dst_fold="SOMEHOW"),
    "args, a number": job(args=5),
    "args, an object": job(args={"a": 1}),
    "args, null": raw("args", "null"),
    "kwargs, a list": job(kwargs=[1, 2]),
    "kwargs, a text": job(kwargs="x"),
    "kwargs, null": raw("kwargs", "null"),
    "params_schema": job(params_schema={"type": "nothing"}),
    "params_schema, a list": job(params_schema=[1]),
    "params_schema, odd properties": job(params_schema={"properties": [1], "required": 5}),
    "params_schema, odd property": job(params_schema={"properties": {"a": 5}}),
    "tags": job(tags={"a": 1}),
    "tags, numbers": job(tags=[1, None]),
    "retry_on": job(retry_on=5),
    "module": job(module="no.such.module", callable="nothing"),
    "module, odd": job(module="a b\nc", callable=""),
    "overlap": job(overlap="SOMEHOW"),
    "on_missed": job(on_missed="somehow"),
    "severity": job(severity="SOMEWHAT"),
    "state": job(state="UNHEARD"),
    "owner": job(owner=""),
    "file_values": job(file_values=[]),
    "file_values, null": raw("file_values", "null"),
    "file_values of other kinds": job(file_values={"cron": 5, "kwargs": "x", "owner": None}),
    "overrides": job(overrides=[]),
    "overrides of other kinds": job(overrides={"cron": "olga", "what": {"by": 5}}),
    "numbers": job(jitter_s=-5, expected_s=-1, max_instances=0, grace_s=-1, timeout_s=0),
    "epoch": epoch({"cron": "rubbish"}),
    "epoch, empty": epoch({}),
    "epoch, a list": epoch([]),
    "epoch with another zone": epoch(
        {
            "cron": "* * * * *",
            "timezone": "Mars/Olympus",
            "gap": "",
            "fold": "",
            "calendar": "?",
            "blackouts": 5,
        }
    ),
    "no epoch": without_epoch,
    "no timetable": without_timetable,
    "everything": everything,
}


PLACES = [
    "/jobs/",
    f"/jobs/{JOB}/",
    f"/admin/scheduler_app/scheduledjob/{JOB}/change/",
    "/admin/scheduler_app/scheduledjob/",
    f"/api/v1/scheduler/jobs/{JOB}",
    "/api/v1/scheduler/jobs",
    f"/api/v1/scheduler/slots?job={JOB}",
    "/api/v1/scheduler/verify",
    "/api/v1/scheduler/metrics",
    "/",
    "/runs/",
    "/readyz",
]


SHOWN = {
    "cron": "rubbish",
    "time zone": "Mars/Olympus",
    "calendar": "NOWHERE",
    "blackout": "25:00",
    "blackouts, a number": "wrong kind",
    "gap": "SOMEHOW",
    "everything": "rubbish",
}


@pytest.fixture
def boss(client):
    client.force_login(factories.make_user("admin", is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("what", BROKEN)
def test_place_opens_whatever_is_broken(boss, monkeypatch, what):
    jobs = [factories.make_job(JOB), factories.make_job("healthy")]
    factories.sync_allowed(monkeypatch, *jobs)
    run = factories.start_run(JOB)
    BROKEN[what]()
    places = [*PLACES, f"/runs/{run.pk}/"]
    answers = {place: boss.get(place).status_code for place in places}
    assert {place: code for place, code in answers.items() if code != 200} == {}


@pytest.mark.parametrize("what", SHOWN)
def test_page_form_and_api_say_what_is_broken(boss, what):
    factories.make_job(JOB)
    BROKEN[what]()
    page = boss.get(f"/jobs/{JOB}/").content.decode()
    form = boss.get(f"/admin/scheduler_app/scheduledjob/{JOB}/change/").content.decode()
    told = boss.get(f"/api/v1/scheduler/jobs/{JOB}").json()["problem"]
    assert [SHOWN[what] in text for text in (page, form, told)] == [True] * 3
    assert "None: the job is broken" in form


@pytest.mark.parametrize(
    "what", ["cron", "time zone", "calendar", "blackouts, a number", "epoch, a list"]
)
def test_form_that_opens_puts_the_row_right(boss, what):
    """What a person types in place of the broken value is in force, and the job has its next run again."""
    factories.make_job(JOB)
    BROKEN[what]()
    good = {"cron": "*/10 * * * *", "timezone": "UTC", "calendar": "", "blackouts": []}
    answer = boss.patch(f"/api/v1/scheduler/jobs/{JOB}", good, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["problem"] == ""
    assert Timetable.objects.get(pk=JOB).next_run_time is not None


@pytest.mark.parametrize("what", BROKEN)
def test_broken_row_stops_no_other_job(what):
    factories.make_job(JOB, cron="* * * * *")
    factories.make_job("healthy", cron="* * * * *", overlap="parallel")
    BROKEN[what]()
    Timetable.objects.update(next_run_time=db_now() - timedelta(seconds=5))
    claims.claim()
    assert JobRun.objects.filter(job="healthy", state="QUEUED").exists()
