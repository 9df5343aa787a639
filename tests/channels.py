"""A channel at the company's border: it answers what the test says."""

from __future__ import annotations

from collections.abc import Sequence

from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.errors import DeliveryError, MissingAddressError


class FakeChannel(Channel):
    """Takes the place of EMAIL. `answers` are used up one for each call; then everything is accepted."""

    name = "EMAIL"

    def __init__(self, *answers: DeliveryError | None) -> None:
        super().__init__({})
        self.answers = list(answers)
        self.sent: list[Message] = []

    def problem(self) -> str:
        return ""

    def address(self, person: Person) -> str:
        if not person.email:
            raise MissingAddressError(f"no e-mail address set for {person.name}")
        return person.email

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        self.sent += messages
        error = self.answers.pop(0) if self.answers else None
        return [Outcome(message_id=message.id, error=error, gateway_ms=5.0) for message in messages]
