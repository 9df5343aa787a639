"""E-mail over SMTP: one message for each person, so that one bad address harms nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.deadline import cut_off_after
from notifications_app.channels.email import letter
from notifications_app.channels.email.connection import Connection
from notifications_app.channels.email.options import is_address, parse, problem_of
from notifications_app.errors import DeliveryError, MissingAddressError, PermanentError
from scheduler_app.masking import add_secret, mask
from scheduler_app.texts import cut_line

LEAST_S = 1.0
"""With less time left nothing is begun."""


class EmailChannel(Channel):
    """Each thread keeps a connection of its own until it is old, has failed, or `close` is called."""

    name = "EMAIL"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._parsed = parse(options)
        add_secret(self._parsed.password)
        self._kept: dict[int, Connection] = {}
        self._lock = threading.Lock()

    def problem(self) -> str:
        return problem_of(self.options)

    def address(self, person: Person) -> str:
        address = person.email.strip()
        if not address:
            text = _("no e-mail address set for %(name)s") % {"name": person.name}
            raise MissingAddressError(text)
        return address

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        deadline_s = time.monotonic() + conf.get().SEND_DEADLINE_S
        return [self._send_one(message, deadline_s) for message in messages]

    def close(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, {}
        for connection in kept.values():
            connection.close()

    def _send_one(self, message: Message, deadline_s: float) -> Outcome:
        began_s = time.monotonic()
        error: DeliveryError | None = None
        code = answer = ""
        try:
            code, answer = self._delivered(message, deadline_s - began_s)
        except DeliveryError as caught:
            error = caught
        gateway_ms = (time.monotonic() - began_s) * 1000
        return Outcome(
            message_id=message.id, error=error, gateway_ms=gateway_ms, code=code, answer=answer
        )

    def _delivered(self, message: Message, left_s: float) -> tuple[str, str]:
        """Code and text of the reply that accepted the message. Raises DeliveryError."""
        recipient = message.person.email.strip()
        if not is_address(recipient):
            shown = cut_line(recipient, 100)
            raise PermanentError(f"{shown!r} is not an e-mail address.")
        data = letter.as_data(letter.write(message, self._parsed, conf.get().SITE_URL))
        if left_s < LEAST_S:
            raise DeliveryError("No time was left for this message.")
        code, said = self._hand_in(recipient, data, left_s)
        return str(code), cut_line(mask(said), 500)

    def _hand_in(self, recipient: str, data: bytes, left_s: float) -> tuple[int, str]:
        connection = self._connection()
        with cut_off_after(left_s, connection.socket) as over:
            try:
                if not connection.is_fresh():
                    connection.open(left_s)
                return connection.send(recipient, data, left_s)
            except DeliveryError as error:
                if over.is_set():
                    raise type(error)(f"{error} (no answer within {left_s:.0f} s)") from error
                raise

    def _connection(self) -> Connection:
        """That of this thread."""
        with self._lock:
            return self._kept.setdefault(threading.get_ident(), Connection(self._parsed))
