"""The databases of a job body: fresh connections, counted statements, and no open transaction left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from scheduler_app.connections import without_limit

PSYCOPG_IN_TRANSACTION = (1, 2, 3)
"""ACTIVE, INTRANS and INERROR of psycopg's `TransactionStatus`."""


@dataclass(slots=True, eq=False)
class DatabaseUse:
    """What a body did with its databases."""

    queries: int = 0
    left_open: list[str] = field(default_factory=list)
    """Aliases of the databases on which it left a transaction open."""

    def count(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """An execute wrapper of Django."""
        self.queries += 1
        return execute(sql, params, many, context)


_current: ContextVar[DatabaseUse | None] = ContextVar("vigil_database_use", default=None)


@contextmanager
def own_connections() -> Iterator[DatabaseUse]:
    """Around a body: it gets connections of its own, which end with it and with what it left on them.

    The connections of the calling thread are set aside meanwhile, except where it is inside a transaction (a test).
    """
    use = DatabaseUse()
    before = connections.all(initialized_only=True)
    aside = [one for one in before if not one.in_atomic_block and not _is_in_memory(one)]
    for one in aside:
        del connections[one.alias]
    token = _current.set(use)
    try:
        with without_limit():
            yield use
    finally:
        _current.reset(token)
        _end(use, [one for one in before if one not in aside])
        for one in aside:
            connections[one.alias] = one


async def end_connections_of_async_code() -> None:
    """End the connections of the thread in which asynchronous code of the body calls the ORM."""
    if use := _current.get():
        await sync_to_async(_end)(use)


def _end(use: DatabaseUse, others: Sequence[BaseDatabaseWrapper] = ()) -> None:
    for one in connections.all(initialized_only=True):
        if one in others or _is_in_memory(one):
            continue
        if _is_in_transaction(one):
            use.left_open.append(one.alias)
        one.close()
        del connections[one.alias]


def _leave_to_parent() -> None:
    """In a forked process: it opens connections of its own. Closing the parent's would end the parent's session."""
    for one in connections.all(initialized_only=True):
        if not _is_in_memory(one):
            _inherited.append(one)
            del connections[one.alias]


def _is_in_memory(connection: BaseDatabaseWrapper) -> bool:
    """A SQLite database that ends with its connection."""
    sqlite: Any = connection
    return connection.vendor == "sqlite" and bool(sqlite.is_in_memory_db())


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    raw: Any = connection.connection
    if raw is None:
        return False
    if connection.vendor == "postgresql":
        return int(raw.info.transaction_status) in PSYCOPG_IN_TRANSACTION
    if connection.vendor == "sqlite":
        return bool(raw.in_transaction)
    return connection.in_atomic_block or not connection.get_autocommit()


def _count_queries(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    use = _current.get()
    if use and use.count not in connection.execute_wrappers:
        connection.execute_wrappers.append(use.count)


_inherited: list[BaseDatabaseWrapper] = []
connection_created.connect(_count_queries)
os.register_at_fork(after_in_child=_leave_to_parent)
