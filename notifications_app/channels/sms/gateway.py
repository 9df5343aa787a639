"""What a provider of text messages has to offer. Write one for another provider and name it in channel.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message: its own code and answer, without secrets."""

    code: str
    answer: str


class SmsGateway(ABC):
    """A provider that fills its approved template with parameters."""

    @abstractmethod
    def send(
        self, mobile: str, params: Mapping[str, str], message_id: str, *, timeout_s: float
    ) -> Accepted:
        """Send one message to `mobile` (digits only). `message_id` is shown in the provider's receipt.

        Raises DeliveryError when it was refused, UnknownOutcomeError when it may have been sent (and paid).
        """
