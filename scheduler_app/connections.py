"""How this process speaks to its database: time limits, prepared statements, and what a pooler in between allows."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0
STATEMENT_S = 12
"""Longest statement of a loop or a web request; also the longest wait for a lock."""
SILENCE_S = 2
"""How much later than the server should have ended a statement its silence ends the connection."""

CLIENT_OPTIONS = {
    "connect_timeout": 5,  # s
    "tcp_user_timeout": 10_000,  # ms until sent data must be acknowledged
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""OPTIONS of a PostgreSQL database with which a path that carries nothing ends a wait within about 11 s (libpq)."""

SERVER_LIMITS = {
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "5s",
    "tcp_keepalives_interval": "2s",
    "tcp_keepalives_count": "3",
}
"""The same for the server's end, so that a client that is gone holds no locks for hours."""

LOOP_LIMITS = {
    "idle_in_transaction_session_timeout": "60s",
}

PREPARED_STATES = ("42P05", "26000")
"""A prepared statement that exists, or does not exist, in a session that a pooler shares between clients."""

_thread = threading.local()
_unprepared: set[str] = set()
"""Aliases of databases to which prepared statements are not sent any more."""


def connect() -> None:
    connection_created.connect(_begin_session, dispatch_uid="scheduler_app.connections")


def limit_statements(statement_s: int = STATEMENT_S) -> None:
    """From now on statements of this thread end after `statement_s`, on connections that it opens.

    For threads of loops and web requests. Bodies of jobs and commands such as `migrate` have no limit of ours.
    """
    _thread.statement_s = statement_s


@contextmanager
def without_limit() -> Iterator[None]:
    """Around a body: connections that it opens in this thread have no limit of ours."""
    limit = _thread.__dict__.pop("statement_s", None)
    try:
        yield
    finally:
        if limit is not None:
            _thread.statement_s = limit


def statement_s() -> int:
    """How long a statement of a loop may take in this thread."""
    return int(getattr(_thread, "statement_s", STATEMENT_S))


def _begin_session(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Set the limits of a PostgreSQL session by one statement, unless a pooler shares the session between clients.

    Through a pooler `pg_backend_pid()` differs from the number that the connection was given at its start. A setting
    would then stay with a server session that serves other clients next.
    """
    if connection.vendor != "postgresql":
        return
    driver = connection.connection
    if connection.alias in _unprepared:
        driver.prepare_threshold = None
    if hasattr(driver, "wait"):  # psycopg2 has no such place
        driver.wait = _limited(driver)
    settings = dict(SERVER_LIMITS)
    if hasattr(_thread, "statement_s"):
        settings |= {"statement_timeout": f"{statement_s()}s", **LOOP_LIMITS}
    if getattr(driver, "prepare_threshold", None) is not None:
        # a plan for all values keeps to reading the whole table when that was small at the time, finds no partial
        # index, and reads 100,000 rows to find that none is due: it expects a third of them to be
        settings["plan_cache_mode"] = "force_custom_plan"
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    with driver.cursor() as cursor:
        cursor.execute(f"SELECT {calls} WHERE pg_backend_pid() = {driver.info.backend_pid:d}")
        if cursor.fetchone() is None:
            _share_session(connection)


def _limited(driver: Any) -> Callable[..., Any]:
    """`driver.wait`, through which all its statements go, without endless waits for a peer that says nothing.

    A proxy that hangs still acknowledges what it is sent, so TCP's own limits (`CLIENT_OPTIONS`) never end that wait.
    """
    wait = driver.wait

    def wait_limited(steps: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        if hasattr(_thread, "statement_s"):
            steps = _until(time.monotonic() + statement_s() + SILENCE_S, steps, driver)
        return wait(steps, *args, **kwargs)

    return wait_limited


def _until(
    deadline_s: float, steps: Generator[Any, Any, Any], driver: Any
) -> Generator[Any, Any, Any]:
    """`steps` of psycopg, each of which asks for the socket; what comes back is 0 when a tenth of a second passed."""
    ready = None
    while True:
        try:
            wanted = steps.send(ready)
        except StopIteration as end:
            return end.value
        ready = yield wanted
        if not ready and time.monotonic() > deadline_s:
            driver.pgconn.finish()
            raise driver.OperationalError("the database, or a proxy before it, does not answer")


def _share_session(connection: BaseDatabaseWrapper) -> None:
    """Send a pooler only what works where each transaction may get another server session."""
    connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
    if getattr(connection.connection, "prepare_threshold", None) is None:
        return
    connection.connection.prepare_threshold = None
    _stop_preparing(
        connection.alias, "a pooler such as PgBouncer is between this process and PostgreSQL"
    )


def is_read_only() -> bool:
    """Whether the server takes no changes: a standby, `default_transaction_read_only`, or a file without that right."""
    if connection.vendor == "sqlite":
        file = Path(str(connection.settings_dict["NAME"]))
        return file.exists() and not os.access(file, os.W_OK)
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone()[0] == "on")


def note_error(error: BaseException) -> None:
    """Prepare no statements any more when `error` shows that sessions are shared."""
    if getattr(error.__cause__ or error, "sqlstate", None) in PREPARED_STATES:
        _stop_preparing(connection.alias, str(error))


def _stop_preparing(alias: str, why: str) -> None:
    if alias not in _unprepared:
        _unprepared.add(alias)
        hint = "set DATABASE_PREPARE=false, or leave it to this process"
        logger.warning(
            "prepared_statements_off", extra={"database": alias, "why": why, "hint": hint}
        )


def refresh() -> None:
    """As `close_old_connections`, after an error or once a second, for threads that live as long as their process.

    Each time that makes Django ask the server.
    """
    now_s = time.monotonic()
    if connection.errors_occurred or now_s - getattr(_thread, "checked_s", 0.0) > CHECK_EVERY_S:
        _thread.checked_s = now_s
        close_old_connections()
