"""The parameters of the template. It needs one variable, `title`, as in "Vigil: ${title}"."""

from __future__ import annotations

import ipaddress
import re

from notifications_app.channels.base import Message
from scheduler_app.texts import cut_line

TITLE_LIMIT = 35
"""Characters that carriers take in one variable."""

_URL = re.compile(r"\b\w+://\S*")
_DOT_INSIDE = re.compile(r"(?<=\w)[.。．](?=\w)")
_COLONS = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
_SIGNATURE_MARKS = str.maketrans("【】", "[]")


def params(message: Message) -> dict[str, str]:
    """`title`: the subject without URL, domain or address (refused with isv.PARAM_NOT_SUPPORT_URL), cut to fit."""
    text = _URL.sub(" ", message.subject)
    text = _COLONS.sub(_without_address, text)
    text = _DOT_INSIDE.sub("-", text).translate(_SIGNATURE_MARKS)
    return {"title": cut_line(text, TITLE_LIMIT) or message.severity}


def _without_address(found: re.Match[str]) -> str:
    """An IPv6 address with other marks; a time of day as it is."""
    try:
        ipaddress.IPv6Address(found[0])
    except ValueError:
        return found[0]
    return found[0].replace(":", "-")
