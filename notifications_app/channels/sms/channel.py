"""Text messages: short, paid, and never sent twice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.sms.aliyun import AliyunGateway
from notifications_app.channels.sms.gateway import SmsGateway
from notifications_app.errors import DeliveryError, MissingAddressError
from scheduler_app.texts import cut_line

PARAM_LIMIT = 35
NOT_IN_PARAMS = re.compile(r"https?://\S+|\b\d{1,3}(?:\.\d{1,3}){3}\b|[【】\[\]<>{}$]")
"""Addresses and brackets, for which Aliyun refuses a message (isv.PARAM_NOT_SUPPORT_URL)."""
SEPARATORS = re.compile(r"[\s().-]")


class SmsChannel(Channel):
    name = "SMS"
    resends_unknown = False

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._gateway: SmsGateway = AliyunGateway(options)

    def problem(self) -> str:
        if not self.options.get("ENABLED"):
            return _("SMS is switched off: set SMS_ENABLED=true and the other SMS_ variables.")
        return self._gateway.problem()

    def address(self, person: Person) -> str:
        """Digits alone: without +86 at home, with the country code abroad."""
        digits = SEPARATORS.sub("", person.mobile).removeprefix("+86")
        if not digits:
            raise MissingAddressError(f"no mobile set for {person.name}")
        return digits.removeprefix("+")

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [self._send_one(message) for message in messages]

    def _send_one(self, message: Message) -> Outcome:
        try:
            receipt = self._gateway.send(
                self.address(message.person),
                params_of(message),
                message_id=message.id,
                timeout_s=conf.get().SEND_DEADLINE_S,
            )
        except DeliveryError as error:
            return Outcome(message_id=message.id, error=error)
        return Outcome(
            message_id=message.id,
            gateway_ms=receipt.gateway_ms,
            code=receipt.code,
            answer=receipt.answer,
        )


def params_of(message: Message) -> dict[str, str]:
    """What the template may use: `${title}`, `${severity}` and `${time}` (UTC)."""
    title = cut_line(NOT_IN_PARAMS.sub(" ", message.subject), PARAM_LIMIT)
    return {
        "title": title,
        "severity": message.severity,
        "time": f"{message.happened_at:%m-%d %H:%M}",
    }
