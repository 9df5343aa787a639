from __future__ import annotations

import json
from datetime import datetime

import pytest

from scheduler_app import mirror
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.states import JobState, RunState, RunTrigger
from tests.factories import declaration, make_job, sync
from tests.integration.api.conftest import ids

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_callables")]

JOBS = "/api/v1/scheduler/jobs"


def test_list_shows_what_a_job_did_and_will_do(plain):
    make_job(cron="0 2 * * *")
    (job,) = plain.get(JOBS).json()["results"]
    assert job["job_id"] == "nightly"
    assert job["next_run_at"].endswith("02:00:00Z")
    assert job["last_run"] is None
    assert job["figures"]["success_count"] == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("owner=otto", ["b"]),
        ("category=money", ["c"]),
        ("enabled=false", ["c"]),
        ("enabled=true", ["a", "b"]),
        ("q=PAYROLL", ["c"]),
        ("q=nothing", []),
        ("state=BROKEN", ["a"]),
        ("last_state=FAILED", []),
        ("owner=otto&q=b", ["b"]),
    ],
)
def test_list_is_filtered(staff, query, found):
    sync(
        declaration("a"),
        declaration("b", owner="otto"),
        declaration("c", category="money", enabled=False, description="the payroll"),
    )
    ScheduledJob.objects.filter(pk="a").update(state=JobState.BROKEN)
    assert ids(staff.get(f"{JOBS}?{query}"), "job_id") == found


def test_list_goes_on_where_a_page_ended(plain):
    sync(*(declaration(name) for name in "abcde"))
    first = plain.get(f"{JOBS}?limit=2&owner=olga")
    second = plain.get(first.json()["next"])
    third = plain.get(second.json()["next"])
    assert [ids(page, "job_id") for page in (first, second, third)] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert third.json()["next"] is None


def test_list_costs_the_same_for_many_jobs(plain, django_assert_max_num_queries):
    sync(*(declaration(f"job{number}") for number in range(30)))
    with django_assert_max_num_queries(15):
        assert len(plain.get(JOBS).json()["results"]) == 30


def test_detail_shows_drift_and_next_times(plain):
    make_job(cron="0 2 * * *")
    mirror.edit("nightly", {"cron": "0 3 * * *"}, by="boss", why="the backup is slow")
    job = plain.get(f"{JOBS}/nightly").json()
    (drift,) = job["drift"]
    assert (drift["field"], drift["in_file"], drift["in_force"]) == (
        "cron",
        "0 2 * * *",
        "0 3 * * *",
    )
    assert (drift["by"], drift["why"]) == ("boss", "the backup is slow")
    assert job["overrides"]["cron"]["why"] == "the backup is slow"
    assert len(job["next_times"]) == 5
    assert all(moment.endswith("03:00:00Z") for moment in job["next_times"])
    assert job["definition"]["max_instances"] == 1


def test_times_at_which_a_job_rests_are_not_among_the_next_ones(plain):
    make_job(cron="0 3,15 * * *", calendar="days-off:acme", blackouts=["00:00-12:00"])
    job = plain.get(f"{JOBS}/nightly").json()
    days = [datetime.fromisoformat(moment) for moment in job["next_times"]]
    assert len(days) == 5
    assert {(day.weekday() >= 5, day.hour) for day in days} == {(True, 15)}
    assert job["next_run_at"] == job["next_times"][0]


def test_job_that_always_rests_has_no_next_times(plain):
    make_job(blackouts=["00:00-12:00", "12:00-24:00"])
    job = plain.get(f"{JOBS}/nightly").json()
    assert (job["next_times"], job["next_run_at"]) == ([], None)


def test_disabled_job_has_no_next_times(plain):
    make_job(enabled=False)
    assert plain.get(f"{JOBS}/nightly").json()["next_times"] == []


@pytest.mark.parametrize("job_id", ["nobody", "Nobody", "a%00b", "%E4%BD%A0", "x" * 300])
def test_unknown_job_is_404(plain, job_id):
    answer = plain.get(f"{JOBS}/{job_id}")
    assert answer.status_code == 404
    assert "There is no job" in answer.json()["detail"]


def test_patch_changes_fields_and_says_why(staff):
    revision = make_job().revision
    body = {"cron": {"hour": 3}, "owner": " otto ", "why": "moved", "revision": revision}
    answer = staff.patch(f"{JOBS}/nightly", body, format="json")
    assert answer.status_code == 200
    job = ScheduledJob.objects.get()
    assert (job.cron, job.owner) == ("0 3 * * *", "otto")
    assert (job.overrides["cron"]["by"], job.overrides["cron"]["why"]) == ("boss", "moved")
    assert answer.json()["revision"] == job.revision > revision


def test_patch_of_an_old_revision_is_409(staff):
    revision = make_job().revision
    mirror.edit("nightly", {"owner": "otto"}, by="otto")
    body = {"owner": "olga", "revision": revision}
    answer = staff.patch(f"{JOBS}/nightly", body, format="json")
    assert answer.status_code == 409
    assert "somebody else" in answer.json()["detail"]
    assert ScheduledJob.objects.get().owner == "otto"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cron", "61 * * * *"),
        ("cron", 5),
        ("cron", None),
        ("timezone", "Mars/Base"),
        ("owner", ""),
        ("owner", "a\0b"),
        ("enabled", "yes"),
        ("timeout_s", -1),
        ("max_instances", 10**30),
        ("severity", "FATAL"),
        ("kwargs", [1]),
        ("kwargs", {"token": "***"}),
        ("tags", ["two words"]),
        ("module", "os"),
        ("callable", "system"),
        ("id", "other"),
        ("state", "ACTIVE"),
        ("colour", "red"),
        ("revision", "first"),
        ("why", "x" * 501),
        ("why", "\0"),
    ],
)
def test_bad_value_is_400_with_its_field(staff, field, value):
    make_job()
    answer = staff.patch(f"{JOBS}/nightly", {field: value}, format="json")
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert ScheduledJob.objects.get().overrides == {}


def test_patch_names_every_fault_at_once(staff):
    make_job()
    body = {"cron": "never", "owner": "", "colour": "red"}
    assert set(staff.patch(f"{JOBS}/nightly", body, format="json").json()) >= {"colour"}
    del body["colour"]
    assert set(staff.patch(f"{JOBS}/nightly", body, format="json").json()) == {"cron", "owner"}


def test_parameters_have_to_fit_the_callable(staff):
    make_job()
    answer = staff.patch(f"{JOBS}/nightly", {"kwargs": {"colour": "red"}}, format="json")
    assert answer.status_code == 400
    assert "colour" in answer.json()["detail"]


def test_optional_field_can_be_emptied(staff):
    make_job(timeout_s=5.0)
    answer = staff.patch(f"{JOBS}/nightly", {"timeout_s": None}, format="json")
    assert answer.status_code == 200
    assert ScheduledJob.objects.get().timeout_s is None


def test_disable_and_enable_say_why(staff):
    make_job()
    body = {"why": "upstream is down"}
    assert not staff.post(f"{JOBS}/nightly/disable", body, format="json").json()["enabled"]
    assert ScheduledJob.objects.get().overrides["enabled"]["why"] == "upstream is down"
    assert staff.post(f"{JOBS}/nightly/enable").json()["enabled"]
    assert ScheduledJob.objects.get().overrides == {}


def test_run_now_is_queued_and_can_be_followed(staff):
    make_job()
    answer = staff.post(f"{JOBS}/nightly/run", {"params": {"text": "hi"}}, format="json")
    run = JobRun.objects.get()
    assert answer.status_code == 202
    assert (run.state, run.trigger, run.requested_by) == (
        RunState.QUEUED,
        RunTrigger.MANUAL,
        "boss",
    )
    assert run.params == {"text": "hi"}
    assert staff.get(answer["Location"]).json()["run_id"] == run.pk


@pytest.mark.parametrize(
    "params", [{"colour": "red"}, {"not a name": 1}, [1], "text", None, {"text": "\0"}]
)
def test_run_with_wrong_parameters_is_400(staff, params):
    make_job()
    answer = staff.post(f"{JOBS}/nightly/run", {"params": params}, format="json")
    assert answer.status_code == 400
    assert not JobRun.objects.exists()


def test_run_of_a_callable_that_is_not_allowed_is_400(staff):
    make_job(module="os", callable="getcwd")
    answer = staff.post(f"{JOBS}/nightly/run")
    assert answer.status_code == 400
    assert "SCHEDULER_ALLOWED_MODULES" in answer.json()["detail"]


def test_run_of_a_callable_that_is_missing_is_400(staff):
    make_job(callable="vanished")
    assert staff.post(f"{JOBS}/nightly/run").status_code == 400


def test_reset_takes_the_value_of_the_file(staff):
    make_job(owner="olga", category="test")
    mirror.edit("nightly", {"owner": "otto", "category": "other"}, by="otto")
    staff.post(f"{JOBS}/nightly/reset", {"fields": ["owner"]}, format="json")
    assert list(ScheduledJob.objects.get().overrides) == ["category"]
    assert staff.post(f"{JOBS}/nightly/reset").json()["drift"] == []


def test_reset_of_a_field_that_is_none_is_400(staff):
    make_job()
    answer = staff.post(f"{JOBS}/nightly/reset", {"fields": ["colour"]}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["fields"])


def test_secret_arguments_are_masked(plain):
    make_job(kwargs={"api_key": "hidden-value-1", "text": "password=hidden-value-2"})
    mirror.edit("nightly", {"kwargs": {"token": 12345678}}, by="boss", why="token=hidden-value-3")
    text = json.dumps(plain.get(f"{JOBS}/nightly").json())
    assert "hidden-value" not in text
    assert "12345678" not in text
    assert "***" in text
