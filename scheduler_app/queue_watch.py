"""Queues in which runs wait although no living node takes runs from them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from scheduler_app import nodes
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduledJob

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=10)
"""How long a run may wait for a node that is just starting."""
LOOK_EVERY_S = 5.0
TELL_EVERY_S = 300.0


def unserved(now: datetime) -> dict[str, datetime]:
    """Since when the oldest run waits in each queue that no living node serves; one query for each such queue."""
    executing = nodes.executing(now)
    queues = ScheduledJob.objects.order_by("queue").values_list("queue", flat=True).distinct()
    found = {}
    for queue in queues:
        if any(nodes.serves(node, queue) for node in executing):
            continue
        waiting = JobRun.objects.queued().filter(queue=queue, held=False)
        oldest = waiting.order_by("ready_at", "id").values_list("ready_at", flat=True).first()
        if oldest and oldest <= now - PATIENCE:
            found[queue] = oldest
    return found


class QueueWatch:
    """Asked by every heartbeat. Logs `queue_not_served` for each such queue, again after five minutes, and
    `queue_is_served` at the end.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._looked_s = -LOOK_EVERY_S
        self._told_s: dict[str, float] = {}

    def look(self) -> None:
        now_s = self._clock_s()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        found = unserved(db_now())
        for queue in [name for name in self._told_s if name not in found]:
            del self._told_s[queue]
            logger.info("queue_is_served", extra={"queue": queue})
        for queue, since in found.items():
            if now_s - self._told_s.get(queue, now_s - TELL_EVERY_S) >= TELL_EVERY_S:
                self._told_s[queue] = now_s
                logger.warning("queue_not_served", extra={"queue": queue, "waiting_since": since})
