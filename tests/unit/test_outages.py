"""One decision for all loops: the database is away, or the statement and its values are wrong."""

from __future__ import annotations

import logging
import sqlite3

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, utils

from scheduler_app import outages

STATES = [
    ("08000", True),
    ("08003", True),
    ("08006", True),
    ("08P01", True),  # what a pooler answers when it has no server
    ("25006", True),  # read-only
    ("25P03", True),
    ("25P04", True),
    ("26000", True),
    ("28000", True),
    ("28P01", True),
    ("3D000", True),
    ("40001", True),
    ("40003", True),
    ("40P01", True),
    ("42P05", True),
    ("53000", True),
    ("53100", True),  # disk full
    ("53200", True),
    ("53300", True),  # too many connections
    ("53400", True),
    ("55006", True),
    ("55P03", True),  # lock_timeout
    ("57014", True),  # statement_timeout
    ("57P01", True),
    ("57P02", True),
    ("57P03", True),
    ("57P04", True),
    ("57P05", True),
    ("58000", True),
    ("58030", True),
    ("58P01", True),
    ("72000", True),
    ("0A000", False),
    ("22001", False),
    ("22021", False),
    ("22P02", False),
    ("22P05", False),
    ("23502", False),
    ("23505", False),
    ("25001", False),
    ("25P02", False),
    ("42601", False),
    ("42703", False),
    ("42P01", False),
    ("54000", False),  # a value that is too large
    ("57000", False),
    ("P0001", False),
    ("XX000", False),
    ("XX001", False),
]


def wrapped(kind: type[Exception], cause: Exception) -> Exception:
    """As Django raises what a driver raised."""
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(("state", "is_away"), STATES)
def test_state_of_postgresql_decides_and_not_the_class_of_the_exception(state, is_away):
    cause = type("DriverError", (psycopg.Error,), {"sqlstate": state})("refused")
    kinds = (OperationalError, InternalError, DatabaseError, InterfaceError)
    assert {outages.is_outage(wrapped(kind, cause)) for kind in kinds} == {is_away}
    assert outages.is_outage(cause) is is_away


@pytest.mark.parametrize(
    ("name", "is_away"),
    [
        ("SQLITE_BUSY", True),
        ("SQLITE_BUSY_SNAPSHOT", True),
        ("SQLITE_LOCKED", True),
        ("SQLITE_READONLY", True),
        ("SQLITE_READONLY_DBMOVED", True),
        ("SQLITE_IOERR_WRITE", True),
        ("SQLITE_FULL", True),
        ("SQLITE_CANTOPEN", True),
        ("SQLITE_ERROR", False),  # no such table
        ("SQLITE_CONSTRAINT_UNIQUE", False),
        ("SQLITE_TOOBIG", False),
        ("SQLITE_MISMATCH", False),
    ],
)
def test_code_of_sqlite_decides(name, is_away):
    cause = sqlite3.OperationalError("refused")
    cause.sqlite_errorcode, cause.sqlite_errorname = getattr(sqlite3, name), name
    assert outages.is_outage(wrapped(OperationalError, cause)) is is_away


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (psycopg.OperationalError("connection failed"), True),
        (psycopg.InterfaceError("the connection is closed"), True),
        (InterfaceError("connection already closed"), True),
        (OperationalError("server closed the connection unexpectedly"), True),
        (psycopg.ProgrammingError("no result available"), False),
        (utils.DataError("a NUL in a text"), False),
        (ValueError("no database at all"), False),
    ],
)
def test_without_a_code_only_a_lost_connection_is_an_outage(error, is_away):
    assert outages.is_outage(error) is is_away


def test_outage_is_one_line_of_the_log_and_a_fault_has_its_traceback(caplog):
    logger = logging.getLogger("test")
    assert outages.note(logger, OperationalError("gone"), waits="waiting", failed="failed")
    assert not outages.note(logger, ValueError("wrong"), waits="waiting", failed="failed")
    away, wrong = caplog.records[-2:]
    assert (away.message, away.levelname, away.exc_info) == ("waiting", "WARNING", None)
    assert (wrong.message, wrong.levelname) == ("failed", "ERROR")
    assert wrong.exc_info
