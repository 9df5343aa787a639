"""Housekeeping steps aside for due work."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import connection

from scheduler_app import claims, nodes
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.states import NodeKind

SQLITE_PAUSE_S = 0.002
LOOK_S = 0.02
LONGEST_WAIT_S = 1.0
"""So that housekeeping comes to its end however busy the schedulers are."""
LATE = timedelta(milliseconds=200)
"""A run that is ready waits no longer than so for a thread while all is well."""
FORLORN = timedelta(minutes=1)
"""What has waited for so long waits for something else than a quiet moment, such as a node that serves its queue."""


def rest() -> None:
    """Wait for a quiet moment: no slot is due, no run waits; but not for ever."""
    if connection.vendor == "sqlite":
        time.sleep(SQLITE_PAUSE_S)  # lets other writers begin their transaction
    deadline_s = time.monotonic() + LONGEST_WAIT_S
    while is_busy() and time.monotonic() < deadline_s:
        time.sleep(LOOK_S)


def is_busy() -> bool:
    """Something waits to be started, and there is somebody to start it."""
    now = db_now()
    lately = (now - FORLORN, now - LATE)
    waiting = JobRun.objects.filter(state="QUEUED", held=False, ready_at__range=lately)
    return (claims.is_due(now) or waiting.exists()) and bool(nodes.living(NodeKind.SCHEDULER, now))
