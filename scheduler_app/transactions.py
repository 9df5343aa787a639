"""Transactions that hold rows which others wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from scheduler_app import connections
from scheduler_app.clock import db_now

LONGEST_PAUSE_MS = 2000
MAINTENANCE_S = 600
"""Longest statement of a batch that deletes or rebuilds."""

_one_writer = threading.RLock()
"""SQLite has one writer; threads that queue here are not put to sleep by its busy handler, for up to 0.3 s each."""


@contextmanager
def brief(statement_s: int | None = None) -> Iterator[datetime]:
    """`atomic()`, that PostgreSQL ends when this process stands still inside of it (stopped, or its machine asleep).

    Yields the database's time at its begin. A statement in it, or its wait for a lock, ends after `statement_s`
    (default: as in all loops). The limits hold for this transaction alone: a job's own transactions may take as long as
    they like, and so may a caller's around this one.
    """
    is_own = not connection.in_atomic_block
    turn = _one_writer if is_own and connection.vendor == "sqlite" else nullcontext()
    with turn, transaction.atomic():
        is_limited = is_own and connection.vendor == "postgresql"
        yield _limited(statement_s or connections.statement_s()) if is_limited else db_now()


def _limited(statement_s: int) -> datetime:
    """Set the limits and return the time, by one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT set_config('idle_in_transaction_session_timeout', '{LONGEST_PAUSE_MS}', true),"
            f" set_config('statement_timeout', '{statement_s}s', true), clock_timestamp()"
        )
        *_limits, now = cursor.fetchone()
    moment: datetime = now
    return moment.astimezone(UTC)


def locked(query: Any) -> Any:
    """`query` FOR UPDATE, passing over rows that others hold where the database can."""
    skip = connection.features.has_select_for_update_skip_locked
    return query.select_for_update(skip_locked=skip)
