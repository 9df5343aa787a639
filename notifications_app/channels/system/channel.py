"""The in-app inbox: a row of this channel that is SENT is the entry, so there is nothing more to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from notifications_app.channels.base import Channel, Message, Outcome, Person

IN_APP = "SYSTEM"


class SystemChannel(Channel):
    name = IN_APP
    option_names = frozenset({"RATE_LIMIT"})
    leaves_the_site: ClassVar[bool] = False
    summarises: ClassVar[bool] = False

    def problem(self) -> str:
        return ""

    def address(self, person: Person) -> str:
        return person.name

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [Outcome(message_id=message.id) for message in messages]
