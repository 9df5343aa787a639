"""The border to a company that sends text messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the gateway said of a message that it accepted."""

    code: str
    answer: str
    gateway_ms: float


class SmsGateway(ABC):
    """To use another company write a subclass and name it in channel.py."""

    @abstractmethod
    def problem(self) -> str:
        """Which settings are missing; "" when there is all that it needs."""

    @abstractmethod
    def send(
        self, mobile: str, params: Mapping[str, str], *, message_id: str, timeout_s: float
    ) -> Receipt:
        """Send the template with `params` to one `mobile`. `message_id` comes back in the delivery report.

        Raises DeliveryError, by the verdict in the answer's body; UnknownOutcomeError when it may have been taken.
        """
