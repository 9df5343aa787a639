"""The one clock that decides what is due and whose lease is over: the database's."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.db import connection

_QUERIES = {
    "postgresql": "SELECT clock_timestamp()",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
}


def db_now() -> datetime:
    """The time of the database server in UTC, at this statement (not at the transaction's begin)."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERIES[connection.vendor])
        (value,) = cursor.fetchone()
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def offset_ms() -> float:
    """How far this machine's clock is ahead of the database's, half the round trip taken off."""
    before = time.time()
    there = db_now().timestamp()
    after = time.time()
    return ((before + after) / 2 - there) * 1000


def since_boot_s() -> float:
    """Seconds since boot, counting while a process is stopped and a machine sleeps."""
    return time.clock_gettime(BOOT_CLOCK)


BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
