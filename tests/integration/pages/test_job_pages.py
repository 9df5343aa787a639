from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages

from notifications_app.models import NotificationSettings
from scheduler_app import claims, mirror, requests
from scheduler_app.models import JobRun, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.pages.job_filters import STATES
from scheduler_app.states import RunState
from tests import factories
from tests.integration.pages.conftest import finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def allowed(settings):
    """The jobs of the tests may be called."""
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


def said(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_staff_switch_a_job_off_with_a_reason_and_come_back(as_staff):
    factories.make_job()
    response = as_staff.post("/jobs/nightly/disable/", {"why": "moving house", "next": "/?x=1"})
    job = ScheduledJob.objects.get()
    assert response["Location"] == "/?x=1"
    assert not job.enabled
    assert job.overrides["enabled"]["why"] == "moving house"
    assert "moving house" in as_staff.get("/jobs/nightly/").content.decode()
    as_staff.post("/jobs/nightly/enable/")
    assert ScheduledJob.objects.get().enabled


def test_an_action_never_leads_to_another_site(as_staff):
    factories.make_job()
    response = as_staff.post("/jobs/nightly/disable/", {"next": "https://evil.example/"})
    assert response["Location"] == "/jobs/"


def test_staff_run_a_job_now_with_parameters(as_staff, allowed):
    factories.make_job()
    assert 'name="param-text"' in as_staff.get("/jobs/nightly/").content.decode()
    as_staff.post("/jobs/nightly/run/", {"param-text": "hello"})
    run = JobRun.objects.get()
    assert (run.params, run.requested_by) == ({"text": "hello"}, "admin")


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        ({"params": "{"}, "valid JSON"),
        ({"params": "[1]"}, "object"),
        ({"params": '{"a b": 1}'}, "no name of an argument"),
        ({"param-days": "x"}, "days: Enter a whole number."),
        ({"param-days": "8"}, "days: Ensure this value is less than or equal to 7."),
        ({"param-mode": '"odd"'}, "mode: Select a valid choice"),
    ],
)
def test_parameters_that_do_not_fit_are_a_message_and_no_run(as_staff, allowed, sent, complaint):
    schema = {"properties": {"days": {"type": "integer", "maximum": 7}, "mode": {"enum": ["fast"]}}}
    factories.make_job(callable="take_anything", params_schema=schema)
    response = as_staff.post("/jobs/nightly/run/", sent)
    assert complaint in said(response)
    assert not JobRun.objects.exists()


def test_others_are_offered_no_form(as_olga):
    factories.make_job()
    assert "param-text" not in as_olga.get("/jobs/nightly/").content.decode()


def test_secret_arguments_are_masked_on_the_page(as_staff, allowed):
    factories.make_job(callable="take_anything", kwargs={"api_key": "hidden-value"})
    mirror.edit("nightly", {"kwargs": {"api_key": "hidden-other"}}, by="boss")
    requests.run_now("nightly", params={"token": "hidden-third"}, requested_by="boss")
    for address in ("/jobs/nightly/", f"/runs/{JobRun.objects.get().pk}/"):
        html = as_staff.get(address).content.decode()
        assert "hidden-" not in html
        assert "***" in html


def test_staff_stop_a_queued_run(as_staff):
    run = claims.request_run(factories.make_job())
    assert f"/runs/{run.pk}/cancel/" in as_staff.get(f"/runs/{run.pk}/").content.decode()
    response = as_staff.post(f"/runs/{run.pk}/cancel/", {"next": f"/runs/{run.pk}/"})
    run.refresh_from_db()
    assert "had not begun" in said(response)
    assert (run.state, run.cancel_by) == ("CANCELLED", "admin")
    assert "/cancel/" not in as_staff.get(f"/runs/{run.pk}/").content.decode()
    assert "ended already" in said(as_staff.post(f"/runs/{run.pk}/cancel/"))


def test_others_see_no_button_that_stops_a_run(as_olga):
    run = claims.request_run(factories.make_job())
    assert "/cancel/" not in as_olga.get(f"/runs/{run.pk}/").content.decode()


def test_staff_ask_a_running_run_to_stop_and_see_that_it_was_asked(as_staff):
    factories.make_job()
    run = factories.start_run("nightly")
    response = as_staff.post(f"/runs/{run.pk}/cancel/")
    assert "a thread stops when it looks" in said(response)
    html = as_staff.get(f"/runs/{run.pk}/").content.decode()
    assert "admin asked it to stop" in html
    assert f"/runs/{run.pk}/cancel/" not in html


def test_an_unknown_job_is_a_message(as_staff):
    assert "no job" in said(as_staff.post("/jobs/ghost/disable/"))


def test_drift_says_who_when_and_why_and_can_be_reset(as_staff):
    factories.make_job()
    mirror.edit("nightly", {"cron": "0 4 * * *"}, by="wei", why="less load at four")
    html = as_staff.get("/jobs/nightly/").content.decode()
    assert all(text in html for text in ("0 4 * * *", "*/5 * * * *", "wei", "less load at four"))
    as_staff.post("/jobs/nightly/reset/")
    assert ScheduledJob.objects.get().cron == "*/5 * * * *"


def test_the_next_runs_are_in_the_zone_of_the_reader(as_olga, olga):
    factories.make_job(cron="0 20 * * *")
    NotificationSettings.objects.create(user=olga, timezone="Asia/Shanghai")
    html = as_olga.get("/jobs/nightly/").content.decode()
    assert "Asia/Shanghai" in html
    assert html.count(" 04:00:00 · ") >= 5
    assert "20:00:00 UTC" in html


def test_a_zone_that_this_machine_does_not_know_is_the_sites(as_olga, olga):
    NotificationSettings.objects.create(user=olga, timezone="Mars/Olympus")
    assert "All times of this page are in UTC" in as_olga.get("/jobs/").content.decode()


def test_every_state_of_the_filter_can_be_asked_for(as_staff):
    factories.make_job("late")
    factories.make_due("late", ago=timedelta(hours=1))
    factories.make_job("changed", enabled=False)
    mirror.set_enabled("changed", True, by="wei")
    factories.make_job("busy")
    factories.start_run("busy")

    def shown(state):
        lines = as_staff.get(f"/jobs/?state={state}").context["lines"]
        return [line.job.pk for line in lines]

    found = {state: shown(state) for state in STATES}
    assert (found["late"], found["drift"], found["running"]) == (["late"], ["changed"], ["busy"])
    assert found["never"] == ["busy", "changed", "late"]
    assert found["failing"] == found["succeeded"] == found["broken"] == found["orphaned"] == []


def test_the_list_is_filtered_and_sorted_by_its_address(as_staff):
    factories.make_job("alpha", owner="wei", category="sales")
    factories.make_job("beta", enabled=False)
    factories.make_job("gamma")
    finish("gamma", RunState.FAILED, error="x")

    def shown(query):
        html = as_staff.get(f"/jobs/?{query}").content.decode()
        return [name for name in ("alpha", "beta", "gamma") if f'id="vg-job-{name}"' in html]

    assert shown("") == ["alpha", "beta", "gamma"]
    assert shown("q=ALPH") == shown("owner=wei") == shown("category=sales") == ["alpha"]
    assert shown("enabled=no") == ["beta"]
    assert shown("state=failing") == ["gamma"]
    assert shown("state=never&enabled=yes") == ["alpha"]
    assert "Clear the filter" in as_staff.get("/jobs/?q=nothing").content.decode()
    html = as_staff.get("/jobs/?sort=last").content.decode()
    assert html.index("vg-job-gamma") < html.index("vg-job-alpha")


def test_a_job_of_nobody_is_no_choice_of_the_filter(as_staff):
    factories.make_job()
    ScheduledJob.objects.update(owner="")
    assert as_staff.get("/jobs/").context["owners"] == []


def test_a_list_without_jobs_says_what_to_do(as_staff):
    assert "sync_jobs" in as_staff.get("/jobs/").content.decode()


def test_a_run_shows_error_output_and_timeline(as_olga, failed_run):
    html = as_olga.get(f"/runs/{failed_run.pk}/").content.decode()
    assert all(text in html for text in ("ValueError: no tax number", "read 3 rows", "1.5 s"))
    assert "hx-get" not in html


def test_a_run_names_the_other_tries_of_its_slot(as_olga):
    job = factories.make_job()
    times = {"ready_at": job.created_at, "queued_at": job.created_at, "slot": job.created_at}
    first = JobRun.objects.create(job=job, trigger="SCHEDULE", state="FAILED", **times)
    second = JobRun.objects.create(
        job=job, trigger="RETRY", state="SUCCESS", attempt=2, first_run=first.pk, **times
    )
    assert list(as_olga.get(f"/runs/{first.pk}/").context["attempts"]) == [second]
    assert list(as_olga.get(f"/runs/{second.pk}/").context["attempts"]) == [first]


def test_a_running_run_is_live(as_olga):
    factories.make_job()
    run = factories.start_run("nightly")
    assert f'hx-get="/runs/{run.pk}/"' in as_olga.get(f"/runs/{run.pk}/").content.decode()


def test_runs_are_read_in_portions(as_olga):
    job = factories.make_job()
    for _ in range(52):
        JobRun.objects.create(
            job=job, trigger="MANUAL", state="SUCCESS", ready_at=job.created_at,
            queued_at=job.created_at,
        )  # fmt: skip
    first = as_olga.get("/runs/?job=nightly")
    older = first.context["runs"].older
    second = as_olga.get(f"/runs/?job=nightly&before={older}")
    assert f"before={older}" in first.content.decode()
    assert (len(first.context["runs"]), len(second.context["runs"])) == (50, 2)
    assert second.context["runs"].older is None


def test_runs_are_filtered_by_state_and_hour(as_olga, failed_run):
    hour = failed_run.finished_at
    finish("nightly", RunState.SUCCESS)
    failures = as_olga.get(f"/runs/?state=failed&hour={hour:%Y-%m-%dT%H}")
    assert [run.pk for run in failures.context["runs"]] == [failed_run.pk]
    assert len(as_olga.get("/runs/?hour=2020-01-01T00").context["runs"]) == 0


def test_a_job_shows_what_became_of_its_slots(as_olga):
    factories.make_job("often", cron="* * * * *")
    slot = factories.make_due("often", timedelta(minutes=3)).replace(second=0)
    ScheduleEpoch.objects.update(opened_at=slot - timedelta(minutes=1))
    Timetable.objects.update(next_run_time=slot)
    claims.claim()
    page = as_olga.get("/jobs/often/")
    states = [line.state for line in page.context["slots"].stretches]
    assert states == ["QUEUED", "MISSED"]
    assert "found too late" in page.content.decode()
    JobRun.objects.filter(state="MISSED").delete()
    html = as_olga.get("/jobs/often/").content.decode()
    assert "The ledger and the schedule disagree" in html


def test_a_job_that_runs_very_often_shows_the_newest_of_its_slots(as_olga, monkeypatch):
    monkeypatch.setattr("scheduler_app.pages.job.SLOT_ROWS", 2)
    job = factories.make_job("often", cron="* * * * *")
    now = job.created_at.replace(second=0, microsecond=0)
    ScheduleEpoch.objects.update(opened_at=now - timedelta(minutes=5))
    for minutes in range(5):
        slot = now - timedelta(minutes=minutes)
        JobRun.objects.create(
            job=job, trigger="SCHEDULE", state="SUCCESS", slot=slot, ready_at=slot, queued_at=slot,
            epoch=ScheduleEpoch.objects.get().pk,
        )  # fmt: skip
    shown = as_olga.get("/jobs/often/").context["slots"]
    assert (shown.since, shown.stretches[0].count) == (now - timedelta(minutes=1), 2)
