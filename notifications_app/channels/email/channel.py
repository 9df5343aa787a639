"""E-mail, over SMTP or by a backend of Django: one message a person, so that a bad address harms nobody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from django.utils.translation import gettext as _

from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.calls import Deadline, one_by_one
from notifications_app.channels.deadline import cut_off_after
from notifications_app.channels.email.addresses import for_smtp
from notifications_app.channels.email.backend import BackendConnection
from notifications_app.channels.email.connection import Connection
from notifications_app.channels.email.options import (
    NAMES,
    EmailOptions,
    parse,
    problem_of,
)
from notifications_app.errors import DeliveryError, MissingAddressError, PermanentError
from scheduler_app.masking import add_secret
from scheduler_app.texts import cut_line


class MailConnection(Protocol):
    """What `_hand_in` needs of a connection; what it writes is for itself to send."""

    def write(self, message: Message) -> Any: ...
    def socket(self) -> socket.socket | None: ...
    def is_fresh(self) -> bool: ...
    def open(self, timeout_s: float) -> None: ...
    def send(self, recipient: str, written: Any, timeout_s: float) -> tuple[str, str]: ...
    def close(self) -> None: ...


class EmailChannel(Channel):
    """A connection is kept for the next message until it is old, has failed, or `close` is called."""

    name = "EMAIL"
    option_names = NAMES

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._parsed = parse(options)
        add_secret(self._parsed.password)
        self._idle: list[MailConnection] = []
        self._in_use: set[MailConnection] = set()
        self._lock = threading.Lock()

    @property
    def connections(self) -> int:
        return self._parsed.connections

    def problem(self) -> str:
        return problem_of(self.options)

    def address(self, person: Person) -> str:
        address = person.email.strip()
        if not address:
            text = _("no e-mail address set for %(name)s") % {"name": person.name}
            raise MissingAddressError(text)
        return address

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return one_by_one(messages, self._delivered)

    def close(self) -> None:
        with self._lock:
            kept = [*self._idle, *self._in_use]
            self._idle.clear()
        for connection in kept:
            connection.close()

    def _delivered(self, message: Message, deadline: Deadline) -> tuple[str, str]:
        """Code and text of the reply that accepted the message. Raises DeliveryError."""
        recipient = for_smtp(message.person.email)
        if not recipient:
            shown = cut_line(message.person.email.strip(), 100)
            raise PermanentError(f"{shown!r} is not an e-mail address.")
        with self._connection() as connection:
            written = connection.write(message)
            return _hand_in(connection, recipient, written, deadline.left_s())

    @contextmanager
    def _connection(self) -> Iterator[MailConnection]:
        """The one that was used last, so that no more are kept than are needed; a new one when all are in use."""
        kind: Callable[[EmailOptions], MailConnection]
        kind = BackendConnection if self._parsed.backend else Connection
        with self._lock:
            connection = self._idle.pop() if self._idle else kind(self._parsed)
            self._in_use.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._in_use.discard(connection)
                self._idle.append(connection)


def _hand_in(
    connection: MailConnection, recipient: str, written: Any, left_s: float
) -> tuple[str, str]:
    with cut_off_after(left_s, connection.socket) as over:
        try:
            if not connection.is_fresh():
                connection.open(left_s)
            return connection.send(recipient, written, left_s)
        except DeliveryError as error:
            if over.is_set():
                raise type(error)(f"{error} (no answer within {left_s:.0f} s)") from error
            raise
