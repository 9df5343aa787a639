"""How this process speaks to its database."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

CHECK_EVERY_S = 1.0

_checked = threading.local()


def connect() -> None:
    connection_created.connect(_plan_with_values)


def _plan_with_values(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Have PostgreSQL plan prepared statements with their values, each time.

    A plan for all values keeps to reading the whole table when that was small at the time, finds no partial index,
    and reads 100,000 rows to find that none is due: it expects a third of them to be.
    """
    if connection.settings_dict["OPTIONS"].get("prepare_threshold") is not None:
        connection.connection.execute("SET plan_cache_mode TO force_custom_plan")


def refresh() -> None:
    """As `close_old_connections`, after an error or once a second, for threads that live as long as their process.

    Each time that makes Django ask the server.
    """
    now_s = time.monotonic()
    if connection.errors_occurred or now_s - getattr(_checked, "at_s", 0.0) > CHECK_EVERY_S:
        _checked.at_s = now_s
        close_old_connections()
