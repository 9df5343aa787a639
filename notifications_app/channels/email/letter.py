"""One notification as an e-mail: a head for its one reader, and a body that all share who read the same."""

from __future__ import annotations

import re
import zlib
from email import policy
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr, formatdate, quote
from functools import lru_cache

from notifications_app.channels.base import Message
from notifications_app.channels.email import unsubscribe
from notifications_app.channels.email.addresses import for_smtp
from notifications_app.channels.email.options import EmailOptions
from notifications_app.errors import PermanentError
from scheduler_app.texts import clean, cut_line

HEADER_LIMIT = 200
LINE_LIMIT = 998
"""Longer ones have to be encoded (RFC 5322, 2.1.1)."""
_POLICY = policy.compat32.clone(linesep="\r\n")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")


def write(message: Message, options: EmailOptions, site: str) -> bytes:
    """What follows DATA (RFC 5321, 4.5.2): text and HTML, to one person.

    It is ASCII, but for an address that needs SMTPUTF8 (RFC 6532).
    `site` (its URL) keeps the threads of several installations apart. The Message-ID stays the same over all tries.
    Raises PermanentError for what no header can hold.
    """
    head = {
        "From": mailbox(options.sender_name, options.sender),
        "To": mailbox(message.person.name, message.person.email),
        "Subject": _encoded(one_line(message.subject)),
        "Date": formatdate(usegmt=True),
        **headers_for(message, options, site),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return lines.encode() + _body(message.text, message.html)


@lru_cache(maxsize=100)
def _body(text: str, html: str) -> bytes:
    """From the header MIME-Version to the last line, which is a dot; other dots are doubled."""
    both = MIMEMultipart("alternative", _subparts=[_part(text, "plain"), _part(html, "html")])
    lines = re.sub(rb"(?m)^\.", b"..", both.as_bytes(policy=_POLICY))
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _part(text: str, subtype: str) -> MIMEText:
    text = "\n".join(clean(text).splitlines()) + "\n"
    is_plain = text.isascii() and max(map(len, text.split("\n"))) < LINE_LIMIT
    return MIMEText(text, subtype, "us-ascii" if is_plain else "utf-8")


def headers_for(message: Message, options: EmailOptions, site: str) -> dict[str, str]:
    """What makes all mails of one alert a thread, the second copy of one known, and its sender a program."""
    thread = _id(f"vigil.alert.{zlib.crc32(site.encode()):08x}.{message.thread}", options)
    return {
        "Message-ID": _id(f"vigil.{message.id}", options),
        "References": thread,
        "In-Reply-To": thread,
        "Auto-Submitted": "auto-generated",
        **unsubscribe.headers_for(message.person),
    }


@lru_cache(maxsize=1000)
def mailbox(name: str, address: str) -> str:
    """`Name <address>` on one line. Raises PermanentError for what is no address."""
    sent, shown = for_smtp(address), one_line(name)
    if not sent:
        raise PermanentError(f"{one_line(address)!r} is not an e-mail address.")
    if not _is_plain(shown):
        return f"{_encoded(shown, '')} <{sent}>"
    return formataddr((shown, sent)) if sent.isascii() else f'"{quote(shown)}" <{sent}>'


def one_line(text: str) -> str:
    """Fit for a header: line ends would begin another one."""
    return cut_line(_CONTROLS.sub(" ", text), HEADER_LIMIT)


def _encoded(line: str, line_end: str = "\r\n") -> str:
    """`line` in ASCII; as encoded words (RFC 2047) where it is not, or would be taken for them."""
    return line if _is_plain(line) else Header(line, "utf-8").encode(linesep=line_end)


def _is_plain(line: str) -> bool:
    return line.isascii() and "=?" not in line


def _id(name: str, options: EmailOptions) -> str:
    return f"<{_NOT_IN_IDS.sub('-', name)}@{options.domain}>"
