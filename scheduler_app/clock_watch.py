"""Looks for cursors that a clock which was ahead has left, a part of all jobs at each heartbeat."""

from __future__ import annotations

import logging
import math

from scheduler_app import future_times
from scheduler_app.claims import Cursor
from scheduler_app.clock import db_now
from scheduler_app.future_times import TOLERANCE, LateCursor
from scheduler_app.models import Timetable
from scheduler_app.signals import cursors_watched

logger = logging.getLogger(__name__)

LOOKS_PER_ROUND = 10
"""Heartbeats in which all jobs are looked at once: with the usual 2 s that is 20 s."""
LEAST = 100
SHOWN = 5


class ClockWatch:
    """Asked by every heartbeat. Logs `cursors_too_late` at the end of a round that found some, when they change.

    A cursor that was right stays right while the clock goes forward, so it is compared once.
    """

    def __init__(self) -> None:
        self._right: dict[str, Cursor] = {}
        self._seen = db_now()
        self._after, self._size = "", 0
        self._found: list[LateCursor] = []
        self._told: set[str] = set()

    def look(self) -> None:
        now = db_now()
        if now < self._seen:  # it was set back: nothing is known any more
            self._right.clear()
        self._seen = now
        if not self._after:
            rows = Timetable.objects.filter(next_run_time__isnull=False).count()
            self._size = max(math.ceil(rows / LOOKS_PER_ROUND), LEAST)
        part = self._next_part()
        self._check(part)
        if len(part) < self._size:
            self._end_round()

    def _next_part(self) -> list[Cursor]:
        rows = Timetable.objects.filter(pk__gt=self._after, next_run_time__isnull=False)
        columns = rows.order_by("job_id").values_list(*Cursor._fields)
        part = [Cursor(*row) for row in columns[: self._size]]
        self._after = part[-1].job_id if part else ""
        return part

    def _check(self, part: list[Cursor]) -> None:
        fresh = [row for row in part if self._right.get(row.job_id) != row]
        now = db_now()  # after the rows were read: no claim has moved one of them past it
        ahead = [row for row in fresh if row.next_run_time and row.next_run_time > now + TOLERANCE]
        late = future_times.find(now, [row.job_id for row in ahead]) if ahead else []
        self._found += late
        wrong = {one.job_id for one in late}
        self._right.update({row.job_id: row for row in fresh if row.job_id not in wrong})

    def _end_round(self) -> None:
        found, self._found, self._after = self._found, [], ""
        names = {one.job_id for one in found}
        if names and names != self._told:
            extra = {
                "jobs": len(found),
                "first": sorted(names)[:SHOWN],
                "hint": "manage.py sync_jobs",
            }
            logger.error("cursors_too_late", extra=extra)
        elif self._told and not names:
            logger.info("cursors_right_again")
        if names != self._told:
            cursors_watched.send(late=found, now=self._seen)
        self._told = names
        future_times.hasten_runs(self._seen)
