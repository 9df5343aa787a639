"""The time zones that this machine knows, and how they are named where times are shown."""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import cache
from zoneinfo import available_timezones


@cache
def names() -> frozenset[str]:
    """Reads the zone files once, as that takes long."""
    return frozenset(available_timezones())


def label(zone: tzinfo, now: datetime) -> str:
    """The zone's name with its offset at `now`: Asia/Shanghai (UTC+08:00), UTC."""
    name, there = str(zone), offset(now.astimezone(zone))
    return name if name == there else f"{name} ({there})"


def offset(moment: datetime) -> str:
    """Of a time with a zone: UTC+08:00, UTC."""
    difference = f"{moment:%z}"
    return "UTC" if not int(difference) else f"UTC{difference[:3]}:{difference[3:5]}"
