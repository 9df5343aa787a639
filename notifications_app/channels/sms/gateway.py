"""What a provider of text messages has to offer. Write one for another provider and name it in channel.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifications_app.channels.base import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message: its own code and answer, without secrets."""

    code: str
    answer: str


class SmsGateway(ABC):
    """A provider that fills its approved template, or sends a text as it is. `options` are the channel's."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    @abstractmethod
    def problem(self) -> str:
        """What is missing or wrong in the settings, and what to set; "" when nothing is. Asks no network."""

    @abstractmethod
    def send(self, mobile: str, message: Message, *, timeout_s: float) -> Accepted:
        """Send one message to `mobile` (digits only).

        Raises DeliveryError when it was refused, UnknownOutcomeError when it may have been sent (and paid).
        """
