"""The job file of the demo: `manage.py load_demo` brings it over, beside the site's own file."""

from __future__ import annotations

from typing import Any

OWNER = "demo"


def _job(name: str, title: str, callable: str, cron: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"demo.{name}",
        "name": title,
        "module": "project.demo",
        "callable": callable,
        "cron": cron,
        "owner": OWNER,
        "category": "demo",
        "on_missed": "skip",
        **fields,
    }


JOBS = [
    _job(
        "import_orders", "Import orders", "succeed", "4-59/15 * * * *",
        description="Runs often and nearly always succeeds.",
    ),
    _job(
        "sync_stock", "Synchronise stock", "succeed", "12 * * * *",
        description="Fails now and then, sometimes several times in a row, and recovers.",
        kwargs={"items": 900, "seconds": 2},
    ),
    _job(
        "nightly_report", "Nightly report", "be_slow", "41 1 * * *",
        description="Takes minutes, and longer from week to week.",
    ),
    _job(
        "mail_digest", "Mail digest", "skip", "26 6-20/2 * * *",
        description="Has nothing to do at weekends and says so.",
    ),
    _job(
        "price_feed", "Price feed", "fail", "8-58/10 * * * *",
        description="Has been failing for some hours: its alert is open.",
        kwargs={"text": "prices.example.com: connection timed out"},
    ),
    _job(
        "legacy_export", "Legacy export", "succeed", "52 4 * * *",
        description="Was switched off a while ago and keeps its history.",
        enabled=False,
    ),
]  # fmt: skip
