"""The job file of tests/plain_settings.py: two jobs that run only when they are asked to."""

from __future__ import annotations

from scheduler_app import system_jobs as scheduler
from tests import plain_settings


def succeed() -> str:
    return "done"


def fail() -> None:
    raise RuntimeError("boom")


JOBS = [
    *scheduler.JOBS,
    *(
        {
            "id": name,
            "name": name.title(),
            "module": "tests.plain_jobs",
            "callable": name,
            "cron": "0 0 1 1 *",
            "owner": "admin",
            "category": "test",
            "description": "A job of the tests.",
        }
        for name in ("succeed", "fail")
    ),
]
if "notifications_app" in plain_settings.APPS:
    from notifications_app import system_jobs as notifications

    JOBS += notifications.JOBS
