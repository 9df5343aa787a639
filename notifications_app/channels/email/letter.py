"""One notification as an e-mail."""

from __future__ import annotations

import re
import zlib
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate

from notifications_app.channels.base import Message
from notifications_app.channels.email import unsubscribe
from notifications_app.channels.email.options import EmailOptions
from notifications_app.errors import PermanentError
from scheduler_app.texts import clean, cut_line

HEADER_LIMIT = 200
# not every server takes 8-bit text
_POLICY = SMTP.clone(cte_type="7bit")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")


def write(message: Message, options: EmailOptions, site: str) -> EmailMessage:
    """Text and HTML, to one person. `site` (its URL) keeps the threads of several installations apart.

    Its Message-ID stays the same over all tries. Raises PermanentError for what no header can hold.
    """
    letter = EmailMessage(policy=_POLICY)
    try:
        letter["From"] = _address(options.sender_name, options.sender)
        letter["To"] = _address(message.person.name, message.person.email.strip())
        letter["Subject"] = one_line(message.subject)
        letter["Date"] = formatdate(usegmt=True)
        for name, value in headers_for(message, options, site).items():
            letter[name] = value
        letter.set_content(clean(message.text))
        letter.add_alternative(clean(message.html), subtype="html")
    except (ValueError, MessageError) as error:
        raise PermanentError(f"This cannot be written as an e-mail: {error}") from error
    return letter


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


def as_data(letter: EmailMessage) -> bytes:
    """What follows DATA: CRLF line ends, dots doubled, the last line a dot (RFC 5321, 4.5.2)."""
    lines = re.sub(rb"(?m)^\.", b"..", letter.as_bytes())
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def mailbox(name: str, address: str) -> str:
    """`Name <address>` in ASCII. Raises PermanentError for what no header can hold."""
    try:
        return formataddr((one_line(name), str(_address("", address))))
    except (ValueError, MessageError) as error:
        raise PermanentError(f"This cannot be written as an e-mail: {error}") from error


def _address(name: str, address: str) -> Address:
    return Address(display_name=one_line(name), addr_spec=address)


def one_line(text: str) -> str:
    """Fit for a header: line ends would begin another one."""
    return cut_line(_CONTROLS.sub(" ", text), HEADER_LIMIT)


def _id(name: str, options: EmailOptions) -> str:
    return f"<{_NOT_IN_IDS.sub('-', name)}@{options.domain}>"
