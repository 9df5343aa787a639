from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's texts"),
]


def read(text: str, zone: str = "UTC") -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL TIME ZONE '{zone}'")
        cursor.execute("SELECT %s::timestamptz", [text])
        (value,) = cursor.fetchone()
    assert value.tzinfo is UTC
    return value


@pytest.mark.parametrize("fraction", ["", ".1", ".12", ".123", ".1234", ".12345", ".123456"])
def test_every_length_of_a_fraction_is_read(fraction):
    micros = int(fraction[1:].ljust(6, "0"))
    assert read(f"2026-11-28 01:02:03{fraction}+00") == datetime(2026, 11, 28, 1, 2, 3, micros, UTC)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "UTC"])
def test_zone_of_the_session_changes_no_instant(zone):
    assert read("1900-01-01 00:00:00+00", zone) == datetime(1900, 1, 1, tzinfo=UTC)
