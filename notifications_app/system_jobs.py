"""The entries that keep notifications moving, for a job file: `JOBS = [*system_jobs.JOBS, ...]`."""

from __future__ import annotations

from typing import Any

JOBS: list[dict[str, Any]] = [
    {
        "id": "send_alert_notifications",
        "name": "Send alert notifications",
        "module": "notifications_app.jobs",
        "callable": "send_alert_notifications",
        "cron": "7 * * * *",
        "owner": "admin",
        "category": "notifications",
        "description": "Tells people of alerts that wait, and hands over what is due.",
        "isolation": "thread",
    },
    {
        "id": "sweep_notifications",
        "name": "Sweep notifications",
        "module": "notifications_app.jobs",
        "callable": "sweep_notifications",
        "cron": "every 60 s",
        "owner": "admin",
        "category": "notifications",
        "description": "Returns what a dead worker held, and makes the queue show what is due.",
        "isolation": "thread",
    },
]
