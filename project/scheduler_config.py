"""The jobs of this site. To add one: write a function, add an entry here (see docs/jobs.md).

Schedules keep clear of the full and the half hour, when gateways and neighbours are at their busiest.
"""

from __future__ import annotations

from notifications_app import system_jobs as notifications
from scheduler_app import system_jobs as scheduler

JOBS = [
    *notifications.JOBS,
    {
        "id": "system_health",
        "name": "System health",
        "module": "project.jobs.system_health",
        "callable": "check",
        "cron": "3-58/5 * * * *",
        "owner": "admin",
        "category": "monitoring",
        "description": "Fails when the disk is nearly full, the load high, the database too big or the clock wrong.",
        "isolation": "thread",
        "kwargs": {
            "least_free_share": 0.05,
            "least_free_mb": 500,
            "most_load_per_core": 4,
            "most_database_mb": 20_000,
            "most_clock_offset_ms": 1000,
        },
    },
    {
        "id": "probe_endpoint",
        "name": "Probe endpoint",
        "module": "project.jobs.probe_endpoint",
        "callable": "probe",
        "cron": "1-56/5 * * * *",
        "owner": "admin",
        "category": "monitoring",
        "description": "Asks this site's /readyz (or PROBE_URL) as a user would; fails when the answer is not good.",
        "isolation": "thread",
        "kwargs": {"timeout_s": 10},
    },
    {
        "id": "backup_database",
        "name": "Back up the database",
        "module": "project.jobs.backup_database",
        "callable": "back_up",
        "cron": "47 2 * * *",
        "owner": "admin",
        "category": "maintenance",
        "description": "Copies an SQLite database to var/backups and opens the copy; skips on other databases.",
        "isolation": "thread",
        "kwargs": {"keep_days": 14},
    },
    *scheduler.JOBS,
    {
        "id": "verify_jobs_report",
        "name": "Weekly verification",
        "module": "project.jobs.verify_jobs_report",
        "callable": "report",
        "cron": "23 6 * * 1",
        "owner": "admin",
        "category": "monitoring",
        "description": "Checks every job of this file and archives the report; fails when there are findings.",
        "severity": "WARNING",
    },
    {
        "id": "push_metrics",
        "name": "Push metrics",
        "module": "scheduler_app.metrics_push",
        "callable": "push",
        "cron": "4-59/5 * * * *",
        "owner": "admin",
        "category": "monitoring",
        "description": "Hands the figures to the Pushgateway at METRICS_PUSH_URL; switch it on when that is set.",
        "isolation": "thread",
        "enabled": False,
    },
]

CHANNELS: dict[str, dict[str, object]] = {
    "SYSTEM": {"enabled": True, "owner": "admin"},
    "EMAIL": {"enabled": True, "owner": "admin"},
    "WECHAT": {"enabled": True, "owner": "admin"},
    "WECHAT_APP": {"enabled": True, "owner": "admin"},
    "SMS": {"enabled": True, "owner": "admin"},
    "WEBHOOK": {"enabled": True, "owner": "admin"},
    "APPRISE": {"enabled": True, "owner": "admin"},
}
