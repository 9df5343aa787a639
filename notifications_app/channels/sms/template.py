"""What a template may say of a message, each piece as carriers take it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from notifications_app.channels.base import Message
from scheduler_app.texts import cut_line

VALUE_LIMIT = 35
"""Characters that carriers take in one variable."""
LONGEST = 400
"""Characters that are looked at: what is cut off later needs no care."""
FIELDS = frozenset({"title", "label", "severity", "category", "owner", "job", "time"})
USUAL: Mapping[str, str] = {"title": "title"}
"""A template of one variable, as in "Vigil: ${title}"."""

_URL = re.compile(r"\b\w+://\S*")
_DOT_INSIDE = re.compile(r"(?<=\w)[.。．](?=\w)")
_COLONS = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
_SIGNATURE_MARKS = str.maketrans("【】", "[]")


def values(message: Message) -> dict[str, str]:
    """All FIELDS, none empty (gateways refuse that): `title` is the subject, `time` (UTC) when it happened."""
    raw = {
        "title": message.subject,
        "label": message.label,
        "severity": message.severity,
        "category": message.category,
        "owner": message.owner,
        "job": str(message.labels.get("job_id") or ""),
        "time": f"{message.happened_at:%m-%d %H:%M}",
    }
    fitting = {name: _fit(value) or "-" for name, value in raw.items()}
    if fitting["title"] == "-":
        fitting["title"] = message.severity
    return fitting


def params(message: Message, wanted: Mapping[str, str] = USUAL) -> dict[str, str]:
    """The template's variables (keys of `wanted`), each with the field that its value names."""
    found = values(message)
    return {variable: found[name] for variable, name in wanted.items()}


def _fit(text: str) -> str:
    """Without URL, domain or address (refused with isv.PARAM_NOT_SUPPORT_URL), cut."""
    text = _URL.sub(" ", cut_line(text, LONGEST))
    text = _COLONS.sub(_without_address, text)
    text = _DOT_INSIDE.sub("-", text).translate(_SIGNATURE_MARKS)
    return cut_line(text, VALUE_LIMIT)


def _without_address(found: re.Match[str]) -> str:
    """An IPv6 address with other marks; a time of day as it is."""
    try:
        ipaddress.IPv6Address(found[0])
    except ValueError:
        return found[0]
    return found[0].replace(":", "-")
