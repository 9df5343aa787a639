"""SQLite carries one scheduler: a lock on a file keeps a second one out."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from django.db import connection

from scheduler_app import conf, forks, nodes
from scheduler_app.errors import SchedulerRunningError
from scheduler_app.models import Node
from scheduler_app.states import NodeKind, NodeState


def lock() -> IO[str] | None:
    """Hold the lock until the process ends; None where the database needs none.

    Raises SchedulerRunningError when another scheduler holds it.
    """
    if connection.vendor != "sqlite":
        return None
    name = str(connection.settings_dict["NAME"])
    path = Path(conf.get().LOCK_FILE or f"{name}.scheduler.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise SchedulerRunningError(
            f"Another scheduler runs on this SQLite database (it holds {path}). "
            "SQLite carries one; for several move to PostgreSQL (DATABASE_URL)."
        ) from None
    forks.close_in_forks(handle)
    return handle


def bury_predecessors() -> int:
    """Behind the lock no other scheduler lives: end what the last one left, at once."""
    dead = Node.objects.filter(kind=NodeKind.SCHEDULER, state=NodeState.ALIVE)
    return sum(nodes.declare_dead(node) for node in dead) + nodes.end_leftovers()
