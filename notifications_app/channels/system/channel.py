"""The in-app inbox: a row of this channel that is SENT is the entry, so there is nothing more to do."""

from __future__ import annotations

from collections.abc import Sequence

from notifications_app.channels.base import Channel, Message, Outcome, Person


class SystemChannel(Channel):
    name = "SYSTEM"
    option_names = frozenset({"RATE_LIMIT"})

    def problem(self) -> str:
        return ""

    def address(self, person: Person) -> str:
        return person.name

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [Outcome(message_id=message.id) for message in messages]
