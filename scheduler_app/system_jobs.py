"""The entries that keep the scheduler's own tables in order, for a job file: `JOBS = [*system_jobs.JOBS, ...]`."""

from __future__ import annotations

from typing import Any

JOBS: list[dict[str, Any]] = [
    {
        "id": "prune_history",
        "name": "Prune history",
        "module": "scheduler_app.retention",
        "callable": "prune_history",
        "cron": "17 3 * * *",
        "owner": "admin",
        "category": "maintenance",
        "description": "Deletes old runs, alerts and notifications; the figures keep counting them.",
        "isolation": "thread",
    },
]
