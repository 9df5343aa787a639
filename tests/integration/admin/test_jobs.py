from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from scheduler_app import mirror
from scheduler_app.models import JobRun, ScheduledJob, Timetable
from scheduler_app.states import JobState, RunState, RunTrigger
from tests.factories import declaration, make_job, sync
from tests.integration.admin.conftest import ended_run

LIST = "/admin/scheduler_app/scheduledjob/"

pytestmark = pytest.mark.django_db


def query_count(client, url):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_list_says_what_each_job_is_and_does(admin_client):
    make_job("nightly", cron="0 2 * * *", owner="olga", category="reports")
    mirror.edit("nightly", {"owner": "otto"}, by="boss")
    text = admin_client.get(LIST).content.decode()
    for part in (
        "●&nbsp;active",
        "otto",
        "reports",
        '<code class="nowrap">0 2 * * *</code>',
        "02:00",
        "≠ 1",
    ):
        assert part in text


def test_list_shows_why_a_job_is_broken(admin_client):
    make_job("nightly")
    ScheduledJob.objects.update(state=JobState.BROKEN, state_error="no such zone")
    assert "✗&nbsp;broken</span>: no such zone" in admin_client.get(LIST).content.decode()


def test_list_links_the_last_run(admin_client):
    run = ended_run("nightly", RunState.FAILED, error="boom")
    text = admin_client.get(LIST).content.decode()
    assert reverse("admin:scheduler_app_jobrun_change", args=[run.pk]) in text
    assert "✗&nbsp;failed" in text


def test_list_costs_the_same_with_thirty_jobs(admin_client):
    make_job("job-0")
    query_count(admin_client, LIST)
    few = query_count(admin_client, LIST)
    sync(*[declaration(f"job-{number}") for number in range(30)])
    assert query_count(admin_client, LIST) == few
    assert few < 12


def test_list_is_searched_and_filtered(admin_client):
    sync(declaration("nightly"), declaration("hourly", enabled=False))
    assert "nightly" not in admin_client.get(f"{LIST}?q=hourly").content.decode()
    found = admin_client.get(f"{LIST}?enabled__exact=0").context["cl"].result_list
    assert [job.pk for job in found] == ["hourly"]


def test_schedule_is_said_in_the_readers_language(admin_client):
    make_job("nightly", cron="every 15 s")
    assert "every 15 seconds" in admin_client.get(LIST).content.decode()
    sync(declaration("nightly", cron="*/5 * * * *"))
    page = admin_client.get(LIST, headers={"accept-language": "zh-hans"})
    assert "每 5 分钟" in page.content.decode()


def test_enable(act, said):
    make_job("nightly", enabled=False)
    page = act(LIST, "enable", ["nightly"])
    assert said(page) == ["1 job is enabled."]
    assert Timetable.objects.get().next_run_time is not None


def test_disable_asks_for_the_reason_first(act):
    make_job("nightly")
    page = act(LIST, "disable", ["nightly"])
    assert b'name="why"' in page.content
    assert ScheduledJob.objects.get().enabled


def test_disable_without_a_reason_is_refused(admin_client):
    make_job("nightly")
    data = {"action": "disable", "_selected_action": ["nightly"], "why": ""}
    page = admin_client.post(LIST, data)
    assert "This field is required." in page.content.decode()
    assert ScheduledJob.objects.get().enabled


def test_disable_keeps_who_and_why(admin_client, said):
    make_job("nightly")
    data = {"action": "disable", "_selected_action": ["nightly"], "why": "broken upstream"}
    page = admin_client.post(LIST, data, follow=True)
    job = ScheduledJob.objects.get()
    assert said(page) == ["1 job is disabled."]
    assert (job.enabled, job.overrides["enabled"]["by"]) == (False, "boss")
    assert job.overrides["enabled"]["why"] == "broken upstream"
    assert Timetable.objects.get().next_run_time is None


def test_run_now_queues_and_links_the_run(act, said):
    make_job("nightly")
    page = act(LIST, "run_now", ["nightly"], _run="1")
    run = JobRun.objects.get()
    assert (run.state, run.trigger, run.requested_by) == (
        RunState.QUEUED,
        RunTrigger.MANUAL,
        "boss",
    )
    assert f"/admin/scheduler_app/jobrun/{run.pk}/change/" in said(page)[0]


def test_run_now_of_one_job_asks_for_its_arguments_first(act, said):
    schema = {
        "properties": {
            "day": {"type": "string", "title": "Day", "description": "Which one."},
            "limit": {"type": "integer", "minimum": 1, "default": 500},
            "dry": {"type": "boolean"},
            "mode": {"enum": ["fast", "slow"]},
            "more": {"type": "array"},
            "map": {"type": "object"},
            "token": {"type": "string"},
        },
        "additionalProperties": False,
    }
    kwargs = {"day": "monday", "dry": True, "mode": "slow", "more": [1], "token": "hidden-value"}
    make_job("nightly", callable="take_anything", params_schema=schema, kwargs=kwargs)
    page = act(LIST, "run_now", ["nightly"])
    html = page.content.decode()
    assert not JobRun.objects.exists()
    assert "hidden-value" not in html
    assert "null" not in html
    for part in ('value="monday"', "Which one.", 'placeholder="500"', 'placeholder="***"'):
        assert part in html
    shown = {
        name: field.value() for name, field in ((f.html_name, f) for f in page.context["form"])
    }
    shown = {name: "" if value is None else value for name, value in shown.items()}
    sent = {**shown, "param-limit": "7", "param-mode": '"fast"', "_run": "1"}
    act(LIST, "run_now", ["nightly"], **sent)
    assert JobRun.objects.get().params == {"limit": 7, "mode": "fast"}


def test_run_now_with_arguments_that_do_not_fit_keeps_what_was_typed(act):
    schema = {"properties": {"day": {"type": "string", "pattern": "^[a-z]+$"}}}
    make_job("nightly", callable="take_anything", params_schema=schema)
    html = act(LIST, "run_now", ["nightly"], _run="1", **{"param-day": "MONDAY"}).content.decode()
    assert "day has to match ^[a-z]+$." in html
    assert 'value="MONDAY"' in html
    assert not JobRun.objects.exists()


def test_run_now_of_a_job_without_arguments_asks_nothing(act):
    make_job("nightly", callable="skip")
    act(LIST, "run_now", ["nightly"])
    assert JobRun.objects.exists()


def test_run_now_of_what_cannot_be_called_is_an_error_and_the_others_run(act, said):
    sync(declaration("a", callable="gone"), declaration("b"))
    messages = said(act(LIST, "run_now", ["a", "b"]))
    assert any("a: " in one and "gone" in one for one in messages)
    assert JobRun.objects.get().job_id == "b"


def test_reset_gives_back_the_values_of_the_file(act, said):
    make_job("nightly", owner="olga")
    mirror.edit("nightly", {"owner": "otto"}, by="boss")
    page = act(LIST, "reset", ["nightly"])
    assert said(page) == ["1 job is as the job file has it."]
    assert ScheduledJob.objects.get().owner == "olga"


def test_jobs_are_neither_added_nor_deleted(admin_client, act):
    make_job("nightly")
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}nightly/delete/", {"post": "yes"}).status_code == 403
    act(LIST, "delete_selected", ["nightly"], post="yes")
    assert ScheduledJob.objects.exists()
