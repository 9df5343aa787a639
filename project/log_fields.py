"""What a log record is made of, in the order in which it is shown."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from scheduler_app import masking
from scheduler_app.masking import MASK, mask

DEEPEST = 6
SHORT = 200
"""Characters of a text that is likely to come again."""

PLAIN = logging.Formatter()
_EMPTY = logging.LogRecord("", 0, "", 0, "", None, None)
FIRST_EXTRA = len(_EMPTY.__dict__)
"""Where in a record's `__dict__` that begins which its writer gave it."""
ALWAYS_THERE = frozenset(_EMPTY.__dict__.keys() | {"taskName", "_line", "message", "asctime"})
OWN = frozenset({"timestamp", "level", "logger", "event"})

encode = json.JSONEncoder(ensure_ascii=False).encode


def json_line(record: logging.LogRecord) -> str:
    """`of_record` as JSON in half of the time: what lines have in common is masked and quoted once."""
    if record.exc_info:
        return encode(of_record(record))
    secrets = masking.known_secrets()
    parts = [
        f'"timestamp": "{_utc(record.created)}"',
        _text_pair("level", record.levelname.lower(), secrets),
        _text_pair("logger", record.name, secrets),
        _pair("event", record.getMessage(), secrets),
    ]
    for key, value in islice(record.__dict__.items(), FIRST_EXTRA, None):
        if key not in ALWAYS_THERE and key not in OWN:
            parts.append(_pair(key, value, secrets))
    return "{" + ", ".join(parts) + "}"


def _pair(key: str, value: Any, secrets: int) -> str:
    kind = type(value)
    if kind is str and len(value) <= SHORT:
        return _text_pair(key, value, secrets)
    if kind is int or (kind is float and math.isfinite(value)):
        return f"{encode(key)}: {value!r}"
    return f"{encode(key)}: {encode(_plain(key, value))}"


@lru_cache(maxsize=4096)
def _text_pair(key: str, text: str, _secrets: int) -> str:
    """Remembered until a further secret is known."""
    return f"{encode(key)}: {encode(_masked(key, text))}"


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
