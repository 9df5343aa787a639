"""The jobs of this site. To add one: write a function, add an entry here."""

from __future__ import annotations

JOBS = [
    {
        "id": "send_alert_notifications",
        "name": "Send alert notifications",
        "module": "notifications_app.jobs",
        "callable": "send_alert_notifications",
        "cron": "7 * * * *",
        "owner": "admin",
        "category": "notifications",
        "description": "Tells people of alerts that wait, and hands over what is due.",
    },
]

CHANNELS: dict[str, dict[str, object]] = {}
