"""What PostgreSQL is told about our transactions and statements."""

from __future__ import annotations

import pytest
from django.db import connection

from scheduler_app.transactions import brief

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="only servers keep plans and sessions"
    ),
]


def said(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return cursor.fetchone()[0]


def test_transaction_may_not_stand_still():
    with brief():
        assert said("idle_in_transaction_session_timeout") == "2s"
    assert said("idle_in_transaction_session_timeout") == "0"


def test_prepared_statements_are_planned_with_their_values():
    connection.close()
    assert said("plan_cache_mode") == "force_custom_plan"
