"""E-mail over SMTP: one message for each person, over connections that are kept for each thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.email.connection import Connection
from notifications_app.channels.email.mail import build, sender_of
from notifications_app.errors import DeliveryError, MissingAddressError
from scheduler_app.masking import add_secret

TLS_WORDS = ("auto", "true", "false", "ssl", "starttls", "1", "0", "yes", "no", "on", "off")


class EmailChannel(Channel):
    name = "EMAIL"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._mine = threading.local()
        self._all: list[Connection] = []
        self._lock = threading.Lock()
        add_secret(str(options.get("PASSWORD", "")))

    def problem(self) -> str:
        if not self.options.get("ENABLED"):
            return _(
                "EMAIL is switched off: set EMAIL_ENABLED=true and the other EMAIL_ variables."
            )
        needed = ("SMTP_SERVER", "FROM")
        if missing := [f"EMAIL_{name}" for name in needed if not self.options.get(name)]:
            return _("EMAIL is not configured: set %(names)s.") % {"names": " and ".join(missing)}
        if str(self.options.get("USE_TLS", "auto")).lower() not in TLS_WORDS:
            return _("EMAIL_USE_TLS has to be auto, true, false or ssl.")
        try:
            sender_of(str(self.options["FROM"]))
        except ValueError as error:
            return f"EMAIL_FROM: {error}"
        return ""

    def address(self, person: Person) -> str:
        if not person.email:
            raise MissingAddressError(f"no e-mail address set for {person.name}")
        return person.email

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        deadline_s = time.monotonic() + conf.get().SEND_DEADLINE_S
        return [self._send_one(message, deadline_s) for message in messages]

    def close(self) -> None:
        with self._lock:
            for connection in self._all:
                connection.close()

    def _send_one(self, message: Message, deadline_s: float) -> Outcome:
        begin_s = time.perf_counter()
        try:
            sender = sender_of(str(self.options["FROM"]))
            mail = build(message, sender)
            answer = self._connection().send(
                mail, sender.addr_spec, message.person.email, deadline_s
            )
        except DeliveryError as error:
            return Outcome(message_id=message.id, error=error, gateway_ms=_since(begin_s))
        return Outcome(message_id=message.id, gateway_ms=_since(begin_s), code="250", answer=answer)

    def _connection(self) -> Connection:
        found: Connection | None = getattr(self._mine, "connection", None)
        if found is None:
            found = self._mine.connection = Connection(self.options)
            with self._lock:
                self._all.append(found)
        return found


def _since(begin_s: float) -> float:
    return (time.perf_counter() - begin_s) * 1000
