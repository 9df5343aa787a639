"""The contract of a channel. To add one copy a folder beside this file and name it in registry.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from notifications_app.errors import DeliveryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody to be told, as a channel sees one. Texts are empty where nothing is known."""

    key: str
    name: str
    email: str = ""
    wechat_userid: str = ""
    mobile: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification, worded for one person.

    `id` (32 hex digits) stays the same over all tries, so that a receiver can drop a second copy. Messages of equal
    `group` are about one happening and may share a post; those of equal `thread` about one alert.
    """

    id: str
    group: str
    thread: str
    kind: str
    severity: str
    subject: str
    text: str
    html: str
    link: str
    person: Person
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one message: accepted, or `error`. `gateway_ms` is the length of the call that it shared."""

    message_id: str
    error: DeliveryError | None = None
    gateway_ms: float = 0.0
    code: str = ""
    answer: str = ""


class Channel(ABC):
    """A way to reach people. One instance serves several threads; `options` is the channel's dict of settings."""

    name: ClassVar[str]
    batch_by_group: ClassVar[bool] = False
    """Whether messages of one group go out together, by one call of the gateway."""
    resends_unknown: ClassVar[bool] = True
    """Whether a message whose outcome nobody knows is sent again (under the same id)."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    @abstractmethod
    def problem(self) -> str:
        """Why nothing can be sent (off, not configured) and what to set; "" when it is up. Asks no network."""

    @abstractmethod
    def address(self, person: Person) -> str:
        """Where `person` is reached. Raises MissingAddressError, whose text names what is missing and the person."""

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """Send, and return one outcome for each message; never raises for a gateway's sake.

        The whole call ends within SEND_DEADLINE_S. The verdict is read from the gateway's answer, not from its
        status alone.
        """

    def close(self) -> None:  # noqa: B027 - most channels hold nothing
        """Let go of connections; `send` may be called again afterwards."""
