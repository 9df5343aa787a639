"""How the API answers when something is wrong with the request or with us."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from scheduler_app.models import ScheduledJob
from tests.factories import make_job
from tests.integration.api.conftest import client_for

pytestmark = pytest.mark.django_db

JOB = "/api/v1/scheduler/jobs/nightly"
JSON = "application/json"


@pytest.mark.parametrize(
    "body",
    ["{", "nonsense", "{'a': 1}", '{"owner": NaN}', "\xff", '{"owner": "\\ud800"}', "[" * 100_000,
     '{"revision": ' + "1" * 5000 + "}"],
)  # fmt: skip
def test_malformed_json_is_400(staff, body):
    make_job()
    answer = staff.generic("PATCH", JOB, body.encode("latin-1"), content_type=JSON)
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "[1, 2]"])
def test_body_that_is_no_object_is_400(staff, body):
    make_job()
    answer = staff.generic("PATCH", JOB, body, content_type=JSON)
    assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"])


def test_other_content_types_are_415(staff):
    make_job()
    assert staff.patch(JOB, {"owner": "otto"}, format="multipart").status_code == 415
    assert ScheduledJob.objects.get().owner == "olga"


def test_other_methods_are_405(staff):
    answer = staff.delete(JOB)
    assert (answer.status_code, list(answer.json())) == (405, ["detail"])


@pytest.mark.parametrize(
    "address", [JOB, "/api/v1/scheduler/nodes", "/api/v1/notifications/channels"]
)
def test_unknown_query_parameter_is_400(staff, address):
    make_job()
    answer = staff.get(f"{address}?colour=red")
    assert answer.status_code == 400
    assert answer.json() == {"colour": ["Unknown."]}


def test_unreachable_database_is_503(staff):
    def refuse(*_arguments):
        raise OperationalError("connection to postgres://vigil:s3cret-word@db refused")

    with connection.execute_wrapper(refuse):
        answer = staff.get("/api/v1/scheduler/runs")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "s3cret" not in answer.content.decode()


def test_fault_of_ours_is_500(boss, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("boom")

    client = client_for(boss, raise_request_exception=False)
    with connection.execute_wrapper(fail):
        assert client.get("/api/v1/scheduler/runs").status_code == 500


def test_answer_speaks_the_callers_language(plain):
    answer = plain.get("/api/v1/scheduler/runs?limit=x", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert answer.json() == {"limit": ["请填写合法的整数值。"]}


@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
@pytest.mark.parametrize("path", ["/api", "/api/v1", "/api/v1/nothing/", "/api/v2/alerts"])
def test_unknown_address_is_404_in_json(anonymous, method, path):
    answer = getattr(anonymous, method)(path)
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])
