"""What PostgreSQL is told about our transactions and statements."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import ProgrammingError, connection

from project.settings import database_settings
from scheduler_app import connections, outages
from scheduler_app.connections import without_limit
from scheduler_app.transactions import MAINTENANCE_S, brief

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="only servers keep plans and sessions"
    ),
]


@pytest.fixture(autouse=True)
def no_limit_of_another_test():
    """A web request of an earlier test limits the statements of this thread."""
    connection.close()
    with without_limit():
        yield
    connection.close()


def said(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return cursor.fetchone()[0]


def test_transaction_may_not_stand_still():
    with brief():
        assert said("idle_in_transaction_session_timeout") == "2s"
    assert said("idle_in_transaction_session_timeout") == "0"


def test_statement_of_a_brief_transaction_may_not_wait_for_long():
    with brief():
        assert said("statement_timeout") == "12s"
    with brief(MAINTENANCE_S):
        assert said("statement_timeout") == "10min"
    assert said("statement_timeout") == "0"


def in_a_thread(question):
    """The answer, from a thread with a connection of its own."""

    def ask():
        try:
            return question()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def test_loop_has_a_limit_for_statements_and_a_body_has_none():
    def in_a_loop():
        connections.limit_statements()
        return said("statement_timeout"), said("idle_in_transaction_session_timeout")

    assert in_a_thread(in_a_loop) == ("12s", "1min")
    assert in_a_thread(lambda: said("statement_timeout")) == "0"


def test_server_notices_a_client_that_is_gone():
    if not connection.settings_dict["HOST"]:
        pytest.skip("the server is reached by a socket of this machine")
    limits = ("tcp_user_timeout", "tcp_keepalives_idle", "tcp_keepalives_count")
    assert [in_a_thread(lambda name=name: said(name)) for name in limits] == ["10000", "5", "3"]


def test_client_notices_a_path_that_is_gone():
    given = connection.get_connection_params()
    assert {name: given[name] for name in connections.CLIENT_OPTIONS} == connections.CLIENT_OPTIONS


def test_address_of_the_database_may_have_limits_of_its_own():
    url = "postgresql://u@h/d?tcp_user_timeout=3000&connect_timeout=2"
    options = database_settings(url)["OPTIONS"]
    assert (int(options["tcp_user_timeout"]), int(options["connect_timeout"])) == (3000, 2)
    assert options["keepalives_idle"] == 5


def test_prepared_statements_are_planned_with_their_values():
    connection.close()
    assert said("plan_cache_mode") == "force_custom_plan"


def test_session_that_turns_out_to_be_shared_ends_prepared_statements(monkeypatch, caplog):
    monkeypatch.setattr(connections, "_unprepared", set())
    error = ProgrammingError("prepared statement already exists")
    error.__cause__ = psycopg.errors.DuplicatePreparedStatement(str(error))
    assert outages.is_outage(error)
    outages.let_go(error)
    connection.ensure_connection()
    assert connection.connection.prepare_threshold is None
    assert [record.hint for record in caplog.records if "DATABASE_PREPARE" in record.hint]
    monkeypatch.setattr(connections, "_unprepared", set())
    connection.close()
    connection.ensure_connection()
    assert connection.connection.prepare_threshold == 5
