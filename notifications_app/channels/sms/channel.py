from __future__ import annotations

from collections.abc import Sequence

from notifications_app.channels.base import Channel, Message, Outcome, Person


class SmsChannel(Channel):
    name = "SMS"

    def problem(self) -> str:
        return "SMS is not configured."

    def address(self, person: Person) -> str:
        return person.email

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        raise NotImplementedError
