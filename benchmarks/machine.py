"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil


def describe(*servers: str) -> str:
    """One line: system, processor, cores that this process may use, memory, Python, `servers`, the date."""
    memory_gib = psutil.virtual_memory().total / 2**30
    parts = (
        f"{platform.system()} {platform.release()}",
        _processor(),
        f"{cores()} cores",
        f"{memory_gib:.0f} GiB",
        f"Python {platform.python_version()}",
        *servers,
        f"{datetime.now(UTC):%Y-%m-%d}",
    )
    return ", ".join(parts)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
