"""The sender of all mail, as in `"Project, Inc." <bot@example.com>` (RFC 5322, 3.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import errors, policy
from email.headerregistry import Address
from typing import Any

_ADDRESS = r"[^\s<>＜＞\"“”'‘’,，;；:：@()]+@[^\s<>＜＞\"“”'‘’,，;；:：@()]+"
_IN_BRACKETS = re.compile(rf"[<＜]\s*({_ADDRESS})\s*[>＞]?")
_QUOTES = " \"“”'‘’,，;；:：<＜"


@dataclass(frozen=True, slots=True)
class Sender:
    """`address` as it was written, its domain possibly in Unicode."""

    name: str
    address: str


class SenderError(ValueError):
    """A text that is not one address with or without a name; `instead`: how it is probably to be spelt, or ""."""

    def __init__(self, instead: str) -> None:
        super().__init__(instead)
        self.instead = instead


def parse(text: str) -> Sender:
    """The one sender that `text` names. Raises SenderError."""
    one = _only_address(text.strip())
    if one is None or not (one.username and one.domain):
        raise SenderError(_guess(text.strip()))
    return Sender(one.display_name.strip("“”"), one.addr_spec)


def _only_address(text: str) -> Address | None:
    """The address of a header that is all right but for what RFC 5322 calls obsolete, as in `Dr. Bot <a@b.c>`."""
    if not text.isprintable():
        return None
    try:
        header: Any = policy.default.header_factory("From", text)
    except (ValueError, IndexError, AttributeError, errors.MessageError):
        return None  # the parser of the standard library fails on some texts
    faults = [one for one in header.defects if not isinstance(one, errors.ObsoleteHeaderDefect)]
    if faults or len(header.addresses) != 1 or header.groups[0].display_name is not None:
        return None
    one: Address = header.addresses[0]
    return one


def _guess(text: str) -> str:
    found = _IN_BRACKETS.search(text)
    if found is None and re.fullmatch(rf"({_ADDRESS}\s*[,，;；]?\s*)+", text):
        return re.split(r"[\s,，;；]", text)[0]
    found = found or re.search(f"({_ADDRESS})", text)
    if found is None or not text.isprintable():
        return ""
    name = text[: found.start()].strip(_QUOTES).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{found[1]}>' if name else found[1]
