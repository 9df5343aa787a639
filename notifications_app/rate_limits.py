"""Limits such as "20/minute", kept so that no span of that length ever holds more (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

RATE_LIMIT = re.compile(r"[1-9]\d{0,5}/(?:second|minute|hour|day)")
"""How a limit is written."""
WINDOWS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` calls in any `window_s` seconds.

    A quarter of them may go out at once, the others follow evenly. The whole memory of it is one instant (the generic
    cell rate algorithm, ITU-T I.371): `spent_until`, up to which calls are spoken for.
    """

    count: int
    window_s: float

    @classmethod
    def parse(cls, text: str) -> RateLimit | None:
        """From "20/minute" (see RATE_LIMIT); None for "": no limit."""
        if not text:
            return None
        count, window = text.split("/")
        return cls(int(count), WINDOWS_S[window])

    @property
    def burst(self) -> int:
        return max(self.count // 4, 1)

    @property
    def interval(self) -> timedelta:
        return timedelta(seconds=self.window_s / (self.count - self.burst + 1))

    def free(self, spent_until: datetime | None, now: datetime) -> int:
        """How many calls may go out at `now`."""
        begin = max(spent_until or now, now)
        return int((now + self.burst * self.interval - begin) / self.interval)

    def spend(self, spent_until: datetime | None, now: datetime, calls: int) -> datetime:
        """The new `spent_until` after `calls` calls."""
        return max(spent_until or now, now) + calls * self.interval

    def free_at(self, spent_until: datetime) -> datetime:
        """When the next call may go out."""
        return spent_until - (self.burst - 1) * self.interval
