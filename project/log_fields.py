"""What a log record is made of, in the order in which it is shown."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from scheduler_app.masking import MASK, mask

DEEPEST = 6


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
            fields[key] = _plain(key, value)
    if record.exc_info:
        fields["exception"] = mask(PLAIN.formatException(record.exc_info))
    return fields


def _utc(seconds: float) -> str:
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micros:06}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _plain(key: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _masked(key, value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < DEEPEST and isinstance(value, Mapping):
        return {str(name): _plain(str(name), item, depth + 1) for name, item in value.items()}
    if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_plain(key, item, depth + 1) for item in value]
    return _masked(key, _as_text(value))


def _masked(key: str, text: str) -> str:
    """A field called `password` hides its whole value, any other what looks like a secret in it."""
    if not _names_a_secret(key):
        return mask(text)
    name = f"{key}="
    shown = mask(name + text)
    return MASK if shown.startswith(name + MASK) else shown.removeprefix(name)


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    """Whether what looks like a secret may depend on the field's name: any word that follows it, or `basic ...`."""
    return any(mask(text) != text for text in (f"{key}=word", f"{key}=basic word"))


def _as_text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign object's __str__ may raise anything; the line must go out
        return f"<unprintable {type(value).__name__}>"
