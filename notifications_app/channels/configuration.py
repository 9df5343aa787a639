"""What the settings of a channel lack, in words that name the variable to set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _


def lacking(channel: str, options: Mapping[str, Any], needed: Sequence[str]) -> str:
    """Why `channel` cannot send as far as that is plain from `options`: off, or `needed` ones are empty; else "".

    PROBLEM is what the site already knows to be wrong with the values that it reads.
    """
    if not options.get("ENABLED"):
        return _("%(channel)s is switched off: set %(channel)s_ENABLED=true") % {"channel": channel}
    if problem := setting(options, "PROBLEM"):
        return problem
    missing = [f"{channel}_{key}" for key in needed if not setting(options, key)]
    if not missing:
        return ""
    names = _(" and ").join(filter(None, (", ".join(missing[:-1]), missing[-1])))
    return _("%(channel)s is not configured: set %(names)s") % {"channel": channel, "names": names}


def digest_of(options: Mapping[str, Any]) -> str:
    """Tells whether `options` are the same as before, without giving them away: 32 hex digits."""
    text = json.dumps(options, default=str, skipkeys=True)
    return salted_hmac("notifications_app.channels.configuration", text).hexdigest()[:32]


def setting(options: Mapping[str, Any], key: str) -> str:
    """A setting as text without blanks around it, "" where it is missing."""
    value = options.get(key)
    return "" if value is None else str(value).strip()


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` where it is a dict, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """The items of a list, or the one value that stands for a list of one; none for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def is_url(text: str) -> bool:
    """Whether `text` is a URL of the web with a host."""
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets of half an address, or no port
        return False
