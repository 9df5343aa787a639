"""Builds the message as it goes over the wire."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from django.utils import timezone

from notifications_app.channels.base import Message
from notifications_app.errors import PermanentError
from scheduler_app.texts import clean, cut_line

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ADDRESS = re.compile(r"[^@\s,;<>\"]+@[A-Za-z0-9.-]+")


def sender_of(text: str) -> Address:
    """From `Vigil <bot@example.com>` or a bare address. Raises ValueError."""
    name, spec = parseaddr(CONTROL.sub(" ", text))
    if not ADDRESS.fullmatch(spec):
        raise ValueError(f"{text!r} is no e-mail address.")
    return Address(display_name=name, addr_spec=spec)


def build(message: Message, sender: Address) -> EmailMessage:
    """Text and HTML for one person, under a Message-ID that stays the same over all tries.

    Mails about one alert refer to one thread. Raises PermanentError for an address that no server takes.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = _recipient(message)
    mail["Subject"] = cut_line(CONTROL.sub(" ", message.subject), 200)
    mail["Date"] = format_datetime(timezone.now())
    mail["Message-ID"] = f"<vigil.{message.id}@{sender.domain}>"
    thread = f"<vigil.alert.{message.thread}@{sender.domain}>"
    mail["References"] = thread
    mail["In-Reply-To"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(clean(message.text))
    mail.add_alternative(clean(message.html), subtype="html")
    return mail


def _recipient(message: Message) -> Address:
    spec = message.person.email
    if not spec.isascii() or not ADDRESS.fullmatch(spec):
        raise PermanentError(f"{cut_line(spec, 100)} is no e-mail address.", code="address")
    return Address(display_name=CONTROL.sub(" ", message.person.name), addr_spec=spec)
