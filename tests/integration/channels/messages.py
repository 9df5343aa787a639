"""Messages for the tests of channels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from notifications_app.channels.base import Message, Person

OLGA = Person(
    key="user:1", name="Olga", email="olga@example.com", wechat_userid="olga", mobile="13800138000"
)


def message(person: Person = OLGA, number: int = 1, **fields: Any) -> Message:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "group": "7:FIRE",
        "thread": "7",
        "kind": "fire",
        "severity": "ERROR",
        "subject": "[ERROR] Nightly failed",
        "text": "ERROR Nightly failed\n\nValueError: boom\n\nhttps://vigil.example/runs/7/\n",
        "html": "<p>Nightly failed</p>",
        "link": "https://vigil.example/runs/7/",
        "person": person,
        "happened_at": datetime(2026, 11, 24, 2, 30, tzinfo=UTC),
    }
    return Message(**{**values, **fields})
