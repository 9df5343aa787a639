"""The job file of the schedulers that are measured: their jobs are rows of other files, which it leaves alone."""

from __future__ import annotations

JOBS: list[dict[str, object]] = []
