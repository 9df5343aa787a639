from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app.admin import base, foreign
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, Timetable
from scheduler_app.states import RunState
from tests.factories import make_job, make_node, start_run
from tests.integration.admin.conftest import ended_run

RUNS = "/admin/scheduler_app/jobrun/"
NODES = "/admin/scheduler_app/node/"

pytestmark = pytest.mark.django_db


def queue(job_id: str, count: int) -> None:
    now = db_now()
    JobRun.objects.bulk_create(
        JobRun(job_id=job_id, trigger="MANUAL", state="QUEUED", ready_at=now, queued_at=now)
        for _ in range(count)
    )


def test_run_list_shows_state_and_error(admin_client):
    ended_run("nightly", RunState.FAILED, error="disk\nfull")
    text = admin_client.get(RUNS).content.decode()
    assert "✗&nbsp;failed" in text
    assert "disk full" in text


def test_run_list_costs_the_same_with_many_runs(admin_client):
    make_job("nightly")
    queue("nightly", 1)
    admin_client.get(RUNS)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(RUNS)
    queue("nightly", 30)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(RUNS)
    assert len(few) == len(many)
    assert not any('"traceback"' in query["sql"] for query in many)


def test_run_list_counts_no_further_than_it_pages(admin_client, monkeypatch):
    monkeypatch.setattr(base, "COUNTED_ROWS", 10)
    make_job("nightly")
    queue("nightly", 30)
    assert admin_client.get(RUNS).context["cl"].result_count == 10


def test_runs_of_one_job(admin_client):
    make_job("nightly")
    make_job("hourly")
    queue("nightly", 1)
    queue("hourly", 1)
    page = admin_client.get(f"{RUNS}?job=nightly&state__exact=QUEUED")
    assert [run.job_id for run in page.context["cl"].result_list] == ["nightly"]
    text = page.content.decode()
    assert '<option value="nightly" selected>' in text
    assert '<input type="hidden" name="state__exact" value="QUEUED">' in text
    assert "admin/js/autocomplete.js" in text


def test_filter_finds_jobs_as_one_types(admin_client):
    make_job("nightly")
    make_job("hourly")
    where = "app_label=scheduler_app&model_name=jobrun&field_name=job&term=nig"
    found = admin_client.get(f"/admin/autocomplete/?{where}").json()["results"]
    assert [one["id"] for one in found] == ["nightly"]


def test_run_page_shows_log_error_and_traceback(admin_client):
    run = ended_run("nightly", RunState.FAILED, error="<boom>", traceback="File x", log="line 1")
    text = admin_client.get(f"{RUNS}{run.pk}/change/").content.decode()
    for part in ("<pre>&lt;boom&gt;</pre>", "<pre>File x</pre>", "<pre>line 1</pre>"):
        assert part in text


def test_run_page_of_a_job_that_is_gone_still_opens(admin_client):
    make_job("nightly")
    queue("nightly", 1)
    JobRun.objects.update(job_id="gone")
    run = JobRun.objects.get()
    assert admin_client.get(f"{RUNS}{run.pk}/change/").status_code == 200
    assert "gone" in admin_client.get(RUNS).content.decode()


def test_runs_are_stopped_and_what_has_ended_is_told(act, said):
    make_job("hourly")
    running, ended = start_run("hourly", token="t2"), ended_run("nightly", RunState.SUCCESS)
    queue("hourly", 1)
    waiting = JobRun.objects.get(state="QUEUED")
    messages = said(act(RUNS, "cancel", [running.pk, ended.pk, waiting.pk]))
    assert f"Run {ended.pk} has ended already: succeeded." in messages
    assert "1 run is cancelled." in messages
    assert any("1 run is asked to stop" in one for one in messages)
    by_state = dict(JobRun.objects.values_list("state", "cancel_by"))
    assert by_state == {"RUNNING": "boss", "SUCCESS": "", "CANCELLED": "boss"}


@pytest.mark.parametrize("url", [RUNS, NODES])
def test_history_is_read_only(admin_client, url):
    run = ended_run("nightly", RunState.SUCCESS)
    pk = run.pk if url == RUNS else make_node().pk
    assert admin_client.get(f"{url}add/").status_code == 403
    assert admin_client.post(f"{url}{pk}/change/", {"state": "LOST"}).status_code == 403
    assert admin_client.post(f"{url}{pk}/delete/", {"post": "yes"}).status_code == 403


def test_nodes_are_shown(admin_client):
    node = make_node(file_problem="line 3: oops")
    assert "line 3: oops" in admin_client.get(NODES).content.decode()
    assert admin_client.get(f"{NODES}{node.pk}/change/").status_code == 200


def test_nodes_lead_to_what_they_run_and_cost_the_same_for_many(admin_client):
    make_job("nightly")
    node = make_node(draining=True)
    queue("nightly", 3)
    JobRun.objects.update(state="RUNNING", node=node.pk)
    with CaptureQueriesContext(connection) as few:
        text = admin_client.get(NODES).content.decode()
    link = f"{RUNS}?node={node.pk}&amp;state__exact=RUNNING"
    assert f'<a href="{link}">3</a>' in text
    page = admin_client.get(link.replace("&amp;", "&"))
    assert page.context["cl"].result_count == 3
    for _ in range(5):
        make_node()
    with CaptureQueriesContext(connection) as many:
        admin_client.get(NODES)
    assert len(few) == len(many)


def test_a_problem_of_a_job_file_is_shown_without_its_secrets(admin_client):
    node = make_node(file_problem="line 3: password=hunter2hunter2")
    for address in (NODES, f"{NODES}{node.pk}/change/"):
        text = admin_client.get(address).content.decode()
        assert "line 3: password=***" in text
        assert "hunter2hunter2" not in text


def test_admin_that_runs_jobs_in_the_web_process_is_gone(admin_client):
    theirs = apps.get_app_config("django_apscheduler").get_models()
    assert not any(admin.site.is_registered(model) for model in theirs)
    assert admin_client.get("/admin/django_apscheduler/djangojob/").status_code == 404


def test_a_sites_own_admin_of_their_models_stays():
    model = apps.get_model("django_apscheduler", "DjangoJob")
    admin.site.register(model, admin.ModelAdmin)
    try:
        foreign.unregister()
        assert admin.site.is_registered(model)
    finally:
        admin.site.unregister(model)


def test_without_django_apscheduler_nothing_is_looked_for(monkeypatch):
    monkeypatch.setattr(foreign, "APP", "not_installed")
    foreign.unregister()


def test_timetable_has_no_page():
    assert not admin.site.is_registered(Timetable)


def test_the_admin_says_whose_it_is(admin_client):
    html = admin_client.get("/admin/").content.decode()
    assert "<title>Administration | Vigil</title>" in html
    assert "Django" not in html
