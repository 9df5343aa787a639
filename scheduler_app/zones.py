"""The names of the time zones that this machine knows."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def names() -> frozenset[str]:
    """Reads the zone files once, as that takes long."""
    return frozenset(available_timezones())
