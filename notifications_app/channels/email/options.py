"""The settings of EMAIL, parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from notifications_app.channels.configuration import lacking, mapping, setting
from notifications_app.channels.email import sender
from notifications_app.channels.email.addresses import ascii_host, for_smtp, is_address

USUAL_PORT = 587
SSL_PORTS = (465, 994)
_LITERAL = re.compile(r"\[[0-9A-Za-z.:]+\]")
"""An address literal (RFC 5321, 4.1.3)."""
LIMITS: Mapping[str, int] = {"MAX_MESSAGES": 50, "MAX_AGE_S": 300, "CONNECTIONS": 4}
"""How many messages a connection carries, and how old it gets: providers end longer ones (0 ends each at once).

CONNECTIONS: how many a process has at once; 0: as many as it has threads.
"""
NAMES = frozenset(
    {
        *("ENABLED", "SMTP_SERVER", "SMTP_PORT", "USERNAME", "PASSWORD", "FROM", "USE_TLS"),
        *("CA_FILE", "EHLO_NAME", "BACKEND", "BACKEND_OPTIONS", "RATE_LIMIT", *LIMITS),
    }
)


class Tls(Enum):
    """How a connection becomes private."""

    SSL = "ssl"
    STARTTLS = "starttls"
    IF_OFFERED = "if offered"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailOptions:
    """Where mail is handed in and who sends it. `ca_file` is trusted instead of the system's authorities.

    `ehlo_name` is what the client calls itself; "": see `connection.ehlo_name`.

    With `backend` (the dotted path of a Django e-mail backend) that one hands it in, made with `backend_options`.
    """

    host: str
    port: int
    tls: Tls
    username: str
    password: str = field(repr=False)
    sender_name: str
    sender: str
    ca_file: str
    ehlo_name: str = ""
    max_messages: int = LIMITS["MAX_MESSAGES"]
    max_age_s: float = LIMITS["MAX_AGE_S"]
    connections: int = LIMITS["CONNECTIONS"]
    backend: str = ""
    backend_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]


def parse(options: Mapping[str, Any]) -> EmailOptions:
    """What `options` say; ask `problem_of` first whether they make sense."""
    port = _port(options) or USUAL_PORT
    sender_name, address = _sender(options)
    return EmailOptions(
        host=setting(options, "SMTP_SERVER"),
        port=port,
        tls=_tls(options.get("USE_TLS"), port) or Tls.IF_OFFERED,
        username=setting(options, "USERNAME"),
        password=str(options.get("PASSWORD") or ""),
        sender_name=sender_name,
        sender=for_smtp(address),
        ca_file=setting(options, "CA_FILE"),
        ehlo_name=setting(options, "EHLO_NAME"),
        max_messages=_limit(options, "MAX_MESSAGES") or 0,
        max_age_s=_limit(options, "MAX_AGE_S") or 0,
        connections=_limit(options, "CONNECTIONS") or 0,
        backend=setting(options, "BACKEND"),
        backend_options=mapping(options.get("BACKEND_OPTIONS")),
    )


def problem_of(options: Mapping[str, Any]) -> str:
    """Why no mail can be sent with `options`, "" when it can."""
    backend = setting(options, "BACKEND")
    if found := lacking("EMAIL", options, ("FROM",) if backend else ("SMTP_SERVER", "FROM")):
        return found
    if problem := _problem_of_sender(setting(options, "FROM")):
        return problem
    for name in LIMITS:
        if _limit(options, name) is None:
            return _("EMAIL %(name)s is not a whole number") % {"name": name}
    return _problem_of_backend(backend) if backend else _problem_of_server(options)


def _problem_of_sender(text: str) -> str:
    wrong = _(
        "EMAIL_FROM is not an address: write vigil@example.com or 'Vigil <vigil@example.com>'"
    )
    try:
        return "" if is_address(sender.parse(text).address) else wrong
    except sender.SenderError as error:
        hint = _("Did you mean %(name)s?") % {"name": error.instead}
        return f"{wrong}. {hint}" if error.instead else wrong


def _sender(options: Mapping[str, Any]) -> tuple[str, str]:
    """Name and address; empty when FROM is no sender."""
    try:
        found = sender.parse(setting(options, "FROM"))
    except sender.SenderError:
        return "", ""
    return found.name, found.address


def _problem_of_backend(backend: str) -> str:
    try:
        kind = import_string(backend)
    except ImportError:
        kind = None
    if isinstance(kind, type) and issubclass(kind, BaseEmailBackend):
        return ""
    return _("EMAIL BACKEND names no e-mail backend of Django: %(path)s") % {"path": backend}


def _problem_of_server(options: Mapping[str, Any]) -> str:
    if not _port(options):
        return _("EMAIL_SMTP_PORT is not a port: write 587, 465 or 25")
    if _tls(options.get("USE_TLS"), 0) is None:
        return _(
            "EMAIL_USE_TLS is not understood: write auto, true, false or ssl (true is starttls)"
        )
    name = setting(options, "EHLO_NAME")
    if name and not (ascii_host(name) == name or _LITERAL.fullmatch(name)):
        return _(
            "EMAIL_EHLO_NAME is not the name of a host: write vigil.example.com or [192.0.2.1]"
        )
    ca_file = setting(options, "CA_FILE")
    if ca_file and not Path(ca_file).is_file():
        return _("EMAIL_CA_FILE names no file: %(path)s") % {"path": ca_file}
    return ""


def _limit(options: Mapping[str, Any], name: str) -> int | None:
    """None for what is no whole number from 0 up."""
    value = options.get(name, LIMITS[name])
    return value if type(value) is int and value >= 0 else None


def _port(options: Mapping[str, Any]) -> int:
    """0 for what is no port."""
    word = setting(options, "SMTP_PORT") or str(USUAL_PORT)
    port = int(word) if word.isascii() and word.isdigit() and len(word) < 6 else 0
    return port if port < 65_536 else 0


def _tls(value: Any, port: int) -> Tls | None:
    """Port 465 (and 994 at NetEase) speaks TLS from the first byte, 587 is for STARTTLS (RFC 8314).

    None when not understood.
    """
    word = "auto" if value is None else str(value).strip().lower() or "auto"
    if word in ("false", "no", "off", "0", "none"):
        return Tls.NONE
    if word == "ssl":
        return Tls.SSL
    if word in ("true", "yes", "on", "1", "starttls"):
        return Tls.SSL if port in SSL_PORTS and word != "starttls" else Tls.STARTTLS
    if word == "auto":
        usual = {587: Tls.STARTTLS, **dict.fromkeys(SSL_PORTS, Tls.SSL)}
        return usual.get(port, Tls.IF_OFFERED)
    return None
