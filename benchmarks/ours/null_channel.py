"""A channel whose gateway accepts all at once. It notes what it got, as gateways of others would."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.calls import Deadline, one_by_one

NULL = "NULL"


class NullChannel(Channel):
    """Appends a line with the Unix time and the ids for each call of `send` to `options["FILE"]`."""

    name = NULL

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._file = os.open(options["FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def problem(self) -> str:
        return ""

    def address(self, person: Person) -> str:
        return person.name

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        line = " ".join([f"{time.time():.6f}", *(message.id for message in messages)])
        os.write(self._file, f"{line}\n".encode())
        return one_by_one(messages, _accept)


def _accept(message: Message, deadline: Deadline) -> tuple[str, str]:
    return "250", "accepted"
