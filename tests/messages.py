"""Messages and people for the tests of channels."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from notifications_app.channels.base import Message, Person


def person(**changes: Any) -> Person:
    values = {
        "key": "user:1",
        "name": "Wang Wei",
        "email": "wang@example.com",
        "wechat_userid": "wangwei",
        "mobile": "13800138000",
    }
    return Person(**{**values, **changes})


def message(*, to: Person | None = None, **changes: Any) -> Message:
    """About one alert, to `to`; each has an id of its own."""
    link = "https://vigil.example.com/alerts/7/"
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "group": "7:FIRE",
        "thread": "7",
        "kind": "fire",
        "severity": "ERROR",
        "subject": "[ERROR] Nightly backup failed",
        "text": f"ERROR Nightly backup failed\n\ndisk full\n\n{link}\n",
        "html": "<p>Nightly backup failed</p>",
        "link": link,
        "person": to or person(),
        "happened_at": datetime(2026, 11, 24, 2, 30, tzinfo=UTC),
        "label": "ERROR",
        "title": "Nightly backup failed",
    }
    return Message(**{**values, **changes})
