from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler_app import claims
from scheduler_app.models import JobRun
from scheduler_app.states import RunState
from tests.factories import make_job, start_run
from tests.integration.api.conftest import ids

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/scheduler/runs"


def request_runs(count, job_id="nightly"):
    job = make_job(job_id)
    return [claims.request_run(job).pk for _ in range(count)]


def test_list_is_newest_first_and_goes_on_where_a_page_ended(plain):
    made = request_runs(5)
    first = plain.get(f"{RUNS}?limit=2")
    request_runs(1)  # a new row moves no page
    second = plain.get(first.json()["next"])
    third = plain.get(second.json()["next"])
    assert [*ids(first, "run_id"), *ids(second, "run_id"), *ids(third, "run_id")] == made[::-1]
    assert third.json()["next"] is None


def test_next_page_keeps_the_filter(plain):
    made = request_runs(3, "a")
    request_runs(3, "b")
    first = plain.get(f"{RUNS}?limit=2&job=a")
    assert "job=a" in first.json()["next"]
    assert ids(plain.get(first.json()["next"]), "run_id") == made[:1]


def test_list_is_filtered(plain):
    old, new = request_runs(2)
    JobRun.objects.filter(pk=old).update(state=RunState.FAILED)
    queued_at = JobRun.objects.get(pk=old).queued_at
    JobRun.objects.filter(pk=new).update(queued_at=queued_at + timedelta(hours=1))
    middle = (queued_at + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    assert ids(plain.get(f"{RUNS}?state=FAILED"), "run_id") == [old]
    assert ids(plain.get(f"{RUNS}?since={middle}"), "run_id") == [new]
    assert ids(plain.get(f"{RUNS}?until={middle}"), "run_id") == [old]
    assert ids(plain.get(f"{RUNS}?job=other"), "run_id") == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "before=0", "before=99999999999999999999", "state=GONE",
     "since=yesterday", "until=13:00", "page=2", "format=xml", "job=%00"],
)  # fmt: skip
def test_bad_query_is_400_with_its_name(plain, query):
    answer = plain.get(f"{RUNS}?{query}")
    assert answer.status_code == 400
    assert list(answer.json()) == [query.partition("=")[0]]


def test_list_costs_the_same_at_any_length_and_never_counts(plain, django_assert_num_queries):
    request_runs(60)
    plain.get(RUNS)
    with django_assert_num_queries(
        7
    ) as seen:  # session, user, permissions twice, groups, jobs, runs
        assert len(plain.get(RUNS).json()["results"]) == 50
    assert not [query for query in seen.captured_queries if "COUNT(" in query["sql"]]
    assert '"log"' not in seen.captured_queries[-1]["sql"]


def test_detail_has_the_output(plain):
    make_job()
    run = start_run("nightly")
    JobRun.objects.filter(pk=run.pk).update(log="a line", traceback="Traceback ...", result="7")
    answer = plain.get(f"{RUNS}/{run.pk}").json()
    assert (answer["log"], answer["traceback"], answer["result"]) == (
        "a line",
        "Traceback ...",
        "7",
    )
    assert answer["state"] == RunState.RUNNING


@pytest.mark.parametrize("run_id", ["1", "999999999999999999"])
def test_unknown_run_is_404(plain, run_id):
    answer = plain.get(f"{RUNS}/{run_id}")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_secret_parameters_are_masked(plain):
    claims.request_run(make_job(), params={"password": "hidden-value"})
    run = JobRun.objects.get()
    assert plain.get(f"{RUNS}/{run.pk}").json()["params"] == {"password": "***"}
