"""A channel that a process does not survive: the message about "poison" ends it, as a fault in a C library would."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from notifications_app.channels.base import Channel, Message, Outcome, Person

POISON = "poison"


class PoisonChannel(Channel):
    """Writes a line for each message into the file `options["PATH"]`, before it takes `TAKES_S` seconds."""

    name = "POISON"

    def problem(self) -> str:
        return ""

    def address(self, person: Person) -> str:
        return person.name

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [self._send(message) for message in messages]

    def _send(self, message: Message) -> Outcome:
        with Path(self.options["PATH"]).open("a") as file:
            file.write(f"{message.title}\n")
        time.sleep(self.options["TAKES_S"])
        if message.title == POISON:
            os._exit(9)
        return Outcome(message_id=message.id, gateway_ms=self.options["TAKES_S"] * 1000)
