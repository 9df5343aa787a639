"""Tells once when every thread of this process has been at work for too long: what waits is not started."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from scheduler_app.models import JobRun

logger = logging.getLogger(__name__)

SHOWN = 5


class PoolWatch:
    """Asked by every heartbeat. Says `pool_saturated` once in each episode, and `pool_has_room` at its end."""

    def __init__(
        self, threads: int, limit_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._threads, self._limit_s, self._clock_s = threads, limit_s, clock_s
        self._since_s: float | None = None
        self._is_told = False

    def look(self, busy: int, node: int) -> None:
        now_s = self._clock_s()
        if busy < self._threads:
            if self._is_told:
                logger.info("pool_has_room", extra={"threads": self._threads})
            self._since_s, self._is_told = None, False
        elif self._since_s is None:
            self._since_s = now_s
        elif not self._is_told and now_s - self._since_s > self._limit_s:
            self._is_told = True
            self._tell(node)

    def _tell(self, node: int) -> None:
        held = JobRun.objects.running().filter(node=node).order_by("started_at")
        longest = [f"{job} #{run}" for job, run in held.values_list("job", "pk")[:SHOWN]]
        extra = {"threads": self._threads, "limit_s": self._limit_s, "longest": longest}
        logger.warning("pool_saturated", extra=extra)
