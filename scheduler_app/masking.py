"""Takes secrets out of text before it is logged, stored or shown (promise P8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
SHORTEST_SECRET = 6
SCHEMA_WORDS = frozenset(
    ("type", "title", "description", "format", "pattern", "minLength", "maxLength")
)

_secrets: set[str] = set()

_PATTERNS = (
    # key=..., token: ..., "password": "..." in URLs, JSON, headers and Python reprs
    re.compile(
        r"""(?ix)
        ( (?: ["']? (?<![\w.-]) [\w.-]* (?: passw(?:or)?d | passwd | secret | token | api[_-]?key
                | access[_-]?key | accesskeyid | signature | credential ) [\w-]{0,100} ["']? ) \s* [=:] \s* ["']? )
        ( (?:bearer\s+|basic\s+)? [^\s"'&,;)}\]]+ )
        """
    ),
    re.compile(r"(?i)([?&]key=)([^\s\"'&]+)"),
    re.compile(r"(?i)(\bauthorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic|token)\s+)([^\s\"']+)"),
    re.compile(r"(?i)(\bbearer\s+)([\w.~+/=-]{8,})"),
    # user:password@host in URLs
    re.compile(r"(\b\w+://[^\s:/@]*:)([^\s@/]+)(?=@)"),
)


def add_secret(value: str) -> None:
    """Make `value` unshowable from now on; very short values are ignored (they would mask half of any text)."""
    if len(value) >= SHORTEST_SECRET:
        _secrets.add(value)


def known_secrets() -> int:
    """How many values `add_secret` was told: while it is the same, `mask` says the same of a text."""
    return len(_secrets)


def mask(text: str) -> str:
    """`text` with every known secret and everything that looks like one replaced by `***`."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    if not ("=" in text or ":" in text or "bearer" in text.lower()):
        return text  # each pattern needs one of them
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def shown(value: Any, name: str = "") -> Any:
    """`value` without secrets: neither in its texts nor anywhere under a name that says that it is one."""
    if isinstance(value, Mapping):
        return {key: shown(item, _name_of(key, name)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item, name) for item in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if _names_a_secret(name):
        return MASK
    return mask(value) if isinstance(value, str) else value


def restored(given: Any, saved: Any, name: str = "") -> Any:
    """`given` with the secrets of `saved` in the places where it has what `shown` makes of them.

    The mask stays where `saved` has nothing at that place, or has a list of another length.
    """
    if given == shown(saved, name):
        return saved
    if isinstance(given, Mapping) and isinstance(saved, Mapping):
        return {
            key: restored(item, saved.get(key), _name_of(key, name)) for key, item in given.items()
        }
    if isinstance(given, list) and isinstance(saved, list | tuple) and len(given) == len(saved):
        return [restored(*pair, name) for pair in zip(given, saved, strict=True)]
    return given


def holds_mask(value: Any) -> bool:
    """Whether `value` came out of `shown`, so that storing it would lose the secret behind it."""
    if isinstance(value, Mapping):
        return any(holds_mask(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_mask(item) for item in value)
    return isinstance(value, str) and MASK in value


def _name_of(key: Any, above: str) -> str:
    """The name that decides about an item: its own, or the secret's in which it is. Words of JSON Schema stay words."""
    return above if _names_a_secret(above) and key not in SCHEMA_WORDS else str(key)


def _names_a_secret(name: str) -> bool:
    return bool(name) and mask(f"{name}=x").endswith(MASK)
