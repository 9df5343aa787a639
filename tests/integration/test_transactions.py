"""What a brief transaction says to PostgreSQL, and for how long it says it."""

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


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("plan_cache_mode", "force_custom_plan", "auto"),
        ("idle_in_transaction_session_timeout", "2s", "0"),
    ],
)
def test_transaction_has_settings_of_its_own(name, inside, outside):
    with brief():
        assert said(name) == inside
    assert said(name) == outside
