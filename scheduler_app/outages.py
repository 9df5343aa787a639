"""Whether the database cannot serve at the moment, or a statement or its values are wrong.

Every loop asks here. After an outage it keeps what it has in hand, waits and tries again; any other error concerns the
one run, row or duty that caused it.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from django.db import Error, InterfaceError, OperationalError, connection

from scheduler_app import connections

STATES = frozenset(
    {
        "25006",  # read-only: a standby, or default_transaction_read_only
        "25P03", "25P04",  # idle in a transaction, or in one, for too long
        "42P05", "26000",  # prepared statements of another session: see connections.py
        "55006", "55P03",  # in use, locked
        "57014",  # statement_timeout, or cancelled by an administrator
        "72000",  # snapshot too old
    }
)  # fmt: skip
CLASSES = (
    "08",  # the connection
    "28", "3D",  # the role or the database is not accepted at present
    "40",  # the transaction has to be repeated: deadlock, serialization
    "53",  # no disk, memory or connection left
    "57P",  # shut down, starting, session ended by an administrator
    "58",  # errors of the server's machine
)  # fmt: skip
SQLITE_CODES = frozenset(
    {
        5, 6,  # BUSY, LOCKED
        7,  # NOMEM
        8,  # READONLY
        9,  # INTERRUPT
        10,  # IOERR
        13,  # FULL
        14,  # CANTOPEN
        15,  # PROTOCOL
    }
)  # fmt: skip
"""Primary result codes; the extended ones have them in their low byte."""


def is_outage(error: BaseException) -> bool:
    """Whether the statement that raised `error` may succeed later, without any change to it or to its values.

    `error` is Django's exception or the driver's own. The driver's code decides; where there is none, the connection
    could not be opened or is gone.
    """
    driver_error = error.__cause__ or error
    if (state := getattr(driver_error, "sqlstate", None)) is not None:
        return state in STATES or state.startswith(CLASSES)
    if (code := getattr(driver_error, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in SQLITE_CODES
    return _is_lost_connection(error) or _is_lost_connection(driver_error)


def _is_lost_connection(error: BaseException) -> bool:
    """By the names that PEP 249 gives, as drivers have classes of their own."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    is_driver_error = type(error).__module__.partition(".")[0] in ("psycopg", "sqlite3")
    return is_driver_error and type(error).__name__ in ("OperationalError", "InterfaceError")


def note(
    logger: logging.Logger, error: BaseException, *, waits: str, failed: str, **extra: object
) -> bool:
    """Log `error`, as the event `waits` when it is an outage, else as `failed` with its traceback; True for an outage.

    To be called in the `except` clause of a loop that goes on either way.
    """
    if not is_outage(error):
        logger.error(failed, exc_info=error, extra=extra)
        return False
    logger.warning(waits, extra={"error": str(error), **extra})
    let_go(error)
    return True


def let_go(error: BaseException) -> None:
    """Close this thread's connection after an outage, so that the next statement opens another session.

    An open session may answer and still be of no use: it stays read-only after the server's default has changed.
    """
    connections.note_error(error)
    if not connection.in_atomic_block:
        with suppress(Error):
            connection.close()
