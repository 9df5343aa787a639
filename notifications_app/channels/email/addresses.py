"""Addresses as people write them, and as SMTP takes them (RFC 5321, RFC 5891, RFC 6531)."""

from __future__ import annotations

import re

import idna

_LOCAL = re.compile(r"[^@\x00-\x20\x7f-\xa0<>()\[\],;:\\\"]+")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*")
LONGEST = 254
"""RFC 5321, 4.5.3.1.3."""
LONGEST_HOST = 253


def for_smtp(address: str) -> str:
    """`address` with its domain in ASCII, as in olga@xn--mnchen-3ya.de; "" for what is no address.

    A local part that is not ASCII stays as it is: it needs a server with SMTPUTF8.
    """
    local, _at, domain = address.strip().rpartition("@")
    host = ascii_host(domain)
    if not host or not _LOCAL.fullmatch(local) or not local.isprintable():
        return ""
    if ".." in local or local.startswith(".") or local.endswith("."):
        return ""
    sent = f"{local}@{host}"
    return sent if len(sent.encode()) <= LONGEST else ""


def is_address(text: str) -> bool:
    """Whether `text` is an address that every mail server takes."""
    sent = for_smtp(text)
    return bool(sent) and sent.isascii()


def ascii_host(name: str) -> str:
    """The name of a host or domain in ASCII (IDNA 2008, else 2003); "" for what is none."""
    host = name if name.isascii() else _encoded(name)
    return host if len(host) <= LONGEST_HOST and _HOST.fullmatch(host) else ""


def _encoded(name: str) -> str:
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        try:
            return name.encode("idna").decode()
        except UnicodeError:
            return ""
