"""What APScheduler's jobs call; importable, as its store keeps a reference by name."""

from __future__ import annotations

import time

noted: list[float] = []


def note() -> None:
    noted.append(time.time())
