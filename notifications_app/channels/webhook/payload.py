"""What a webhook says: JSON of less than 20 kB, as Standard Webhooks asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from notifications_app.channels.base import Message
from scheduler_app.texts import clean, head_and_tail

LIMIT_BYTES = 19_000
BODY_LIMIT_BYTES = 4_000
_TYPES = {"fire": "alert.fired", "resolve": "alert.resolved"}


def body_of(messages: Sequence[Message], site: str) -> bytes:
    """The JSON of one post for all `messages`, worded by the first. Labels go where it would be too long."""
    first = messages[0]
    data = {
        "alert": first.thread,
        "severity": first.severity,
        "category": first.category,
        "owner": first.owner,
        "title": first.title or first.subject,
        "text": head_and_tail(first.body or first.text, BODY_LIMIT_BYTES),
        "link": first.link,
        "labels": dict(first.labels),
        "recipients": list(dict.fromkeys(message.person.name for message in messages))[:100],
        "site": site,
    }
    kind = _TYPES.get(first.kind, f"alert.{first.kind}")
    envelope = {"type": kind, "timestamp": first.happened_at.isoformat(), "data": data}
    encoded = _encoded(envelope)
    if len(encoded) > LIMIT_BYTES:
        encoded = _encoded({**envelope, "data": {**data, "labels": {}}})
    return encoded


def id_of(message: Message, site: str, url: str) -> str:
    """The same for all tries and for everybody who is told of this happening at this URL."""
    facts = "\n".join((site, message.group, url))
    return f"msg_{hashlib.sha256(facts.encode()).hexdigest()[:32]}"


def _encoded(envelope: dict[str, Any]) -> bytes:
    return clean(json.dumps(envelope, ensure_ascii=False, default=str)).encode()
