"""Pages, admin and API while the database does not serve: 503, said in words, and no fault of ours."""

from __future__ import annotations

import psycopg
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import InternalError, OperationalError, connection
from django.utils import translation

pytestmark = pytest.mark.django_db

PAGES = [
    "/",
    "/jobs/",
    "/runs/",
    "/nodes/",
    "/alerts/",
    "/channels/",
    "/admin/",
    "/login/",
    "/metrics",
]


class ReadOnly(psycopg.errors.ReadOnlySqlTransaction):
    """SQLSTATE 25006."""


def broken(error: Exception):
    def refuse(execute, sql, params, many, context):
        raise error

    return connection.execute_wrapper(refuse)


def away() -> Exception:
    return OperationalError("connection to server at 10.2.3.4 failed: password=hunter22")


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/login/"])
def test_page_says_that_the_database_is_away(admin_client, path):
    with broken(away()):
        answer = admin_client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "hunter22" not in answer.content.decode()
    if path != "/metrics":
        assert "The database is away" in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]


def test_page_is_in_the_language_of_the_reader(admin_client):
    with broken(away()):
        answer = admin_client.get("/jobs/", headers={"Accept-Language": "zh-hans"})
    assert "数据库" in answer.content.decode()
    translation.activate("en")


@pytest.mark.parametrize(
    "path", ["/api/v1/scheduler/jobs", "/api/v1/scheduler/runs", "/api/v1/alerts"]
)
def test_api_answers_in_json(admin_client, path):
    with broken(away()):
        answer = admin_client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "database" in str(answer.json())


def test_client_that_wants_json_gets_it_from_a_page_as_well(admin_client):
    with broken(away()):
        answer = admin_client.get("/jobs/", headers={"Accept": "application/json"})
    assert (answer.status_code, "database" in answer.json()["detail"]) == (503, True)


def test_database_that_is_read_only_is_away_for_what_writes(admin_client):
    error = InternalError("cannot execute UPDATE in a read-only transaction")
    error.__cause__ = ReadOnly(str(error))
    with broken(error):
        assert admin_client.post("/live/", {"live": "off"}).status_code in (302, 400, 503)
        assert admin_client.get("/admin/scheduler_app/scheduledjob/").status_code == 503


def test_signing_in_while_the_database_is_away_is_503(client):
    with broken(away()):
        answer = client.post("/login/", {"username": "olga", "password": "secret-of-olga"})
    assert answer.status_code == 503


def test_session_that_cannot_be_stored_is_503(client, admin_user, monkeypatch):
    def save(self, must_create=False):
        raise away()

    client.force_login(admin_user)
    monkeypatch.setattr(SessionStore, "save", save)
    client.raise_request_exception = False
    answer = client.post("/login/", {"username": "admin", "password": "password"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_fault_of_ours_stays_a_500(admin_client):
    admin_client.raise_request_exception = False
    with broken(ValueError("a bug")):
        answer = admin_client.get("/jobs/")
    assert answer.status_code == 500
    assert "The database is away" not in answer.content.decode()


def test_process_answers_for_itself_without_the_database(client):
    with broken(away()):
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
