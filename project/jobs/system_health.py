"""Disk, load, database and clock of the machine that runs the jobs, against their limits."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from scheduler_app import clock

MB = 1_000_000

_DATABASE_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
    "mysql": "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()",
}


class UnhealthyError(Exception):
    """Figures past their limits; the text names each with its limit."""


def check(
    *,
    least_free_share: float = 0.05,
    least_free_mb: float = 500,
    most_load_per_core: float = 4,
    most_database_mb: float = 20_000,
    most_clock_offset_ms: float = 1000,
) -> dict[str, Any]:
    """Measure, return the figures. Raises UnhealthyError when one is past its limit.

    The disk is that of VAR_DIR; the load is the average of the last five minutes.
    """
    disk = shutil.disk_usage(Path(settings.VAR_DIR))
    figures = {
        "disk_free_share": round(disk.free / disk.total, 4),
        "disk_free_mb": round(disk.free / MB),
        "load_per_core": round(os.getloadavg()[1] / (os.cpu_count() or 1), 2),
        "database_mb": round(_database_bytes() / MB, 1),
        "clock_offset_ms": round(clock.offset_ms(), 1),
    }
    least = {"disk_free_share": least_free_share, "disk_free_mb": least_free_mb}
    most = {
        "load_per_core": most_load_per_core,
        "database_mb": most_database_mb,
        "clock_offset_ms": most_clock_offset_ms,
    }
    problems = [
        f"{name} is {figures[name]:g}, at least {limit:g} is wanted"
        for name, limit in least.items()
        if figures[name] < limit
    ] + [
        f"{name} is {figures[name]:g}, at most {limit:g} is wanted"
        for name, limit in most.items()
        if abs(figures[name]) > limit
    ]
    if problems:
        raise UnhealthyError("; ".join(problems))
    return figures


def _database_bytes() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_DATABASE_SIZE[connection.vendor])
        (size,) = cursor.fetchone()
    return int(size or 0)
