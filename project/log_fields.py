"""What a log record is made of, in the order in which it is shown."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from scheduler_app.masking import MASK, mask, secret_count

DEEPEST = 6
SHORT = 100


PLAIN = logging.Formatter()
ALWAYS_THERE = frozenset(
    logging.LogRecord("", 0, "", 0, "", None, None).__dict__.keys()
    | {"taskName", "_line", "message", "asctime"}
)


def of_record(record: logging.LogRecord) -> dict[str, Any]:
    """What `record` says as plain JSON values without secrets: `timestamp level logger event` and every `extra`."""
    fields: dict[str, Any] = {
        "timestamp": _utc(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": _masked("event", record.getMessage()),
    }
    for key, value in record.__dict__.items():
        if key not in ALWAYS_THERE and key not in fields:
            fields[key] = _masked(key, value) if type(value) is str else _plain(key, value, depth=0)
    if record.exc_info:
        fields["exception"] = mask(PLAIN.formatException(record.exc_info))
    return fields


def _utc(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def _plain(key: str, value: Any, *, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth < DEEPEST and isinstance(value, Mapping):
        return {str(name): _plain(str(name), item, depth=depth + 1) for name, item in value.items()}
    if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_plain(key, item, depth=depth + 1) for item in value]
    return _masked(key, value if isinstance(value, str) else _as_text(value))


def _masked(key: str, text: str) -> str:
    """A field called `password` hides its whole value, any other what looks like a secret in it."""
    return (
        _remembered(key, text, secret_count()) if len(text) <= SHORT else _looked_through(key, text)
    )


@lru_cache(maxsize=16_384)
def _remembered(key: str, text: str, _secrets: int) -> str:
    """Names, owners and states come in every line: each is looked through once, until a new secret is known."""
    return _looked_through(key, text)


def _looked_through(key: str, text: str) -> str:
    name = f"{key}="
    shown = mask(name + text)
    if shown == name + text:
        return text
    return MASK if shown.startswith(name + MASK) else shown.removeprefix(name)


def _as_text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign object's __str__ may raise anything; the line must go out
        return f"<unprintable {type(value).__name__}>"
