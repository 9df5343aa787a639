"""What a log record is made of, in the order in which it is shown."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

from scheduler_app.masking import MASK, mask

DEEPEST = 6
SAFE = frozenset({"timestamp", "level", "logger"})
LEFT_BY_FORMATTERS = frozenset({"message", "asctime"})


def keep_message(_logger: Any, _name: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
    """Save the message from an `extra` that is called `event`."""
    return {"_message": fields["event"], **fields}


def complete(_logger: Any, _name: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
    """Put `timestamp level logger event` first; an `extra` of the same name does not replace them."""
    record: logging.LogRecord = fields.pop("_record")
    del fields["_from_structlog"]
    first = {
        "timestamp": _utc(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": fields.pop("_message", fields.get("event", "")),
    }
    taken = LEFT_BY_FORMATTERS.union(first)
    return first | {key: value for key, value in fields.items() if key not in taken}


def mask_all(_logger: Any, _name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain JSON values without secrets."""
    return {
        str(key): value if key in SAFE else _plain(str(key), value, depth=0)
        for key, value in fields.items()
    }


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
