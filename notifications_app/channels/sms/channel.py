"""Text messages, by whichever gateway is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.calls import Deadline, one_by_one
from notifications_app.channels.configuration import setting
from notifications_app.channels.mobile import normalise
from notifications_app.channels.sms.aliyun import NEEDED, AliyunGateway
from notifications_app.channels.sms.gateway import SmsGateway
from notifications_app.channels.sms.generic import GenericGateway
from notifications_app.daily_caps import DailyCaps
from notifications_app.errors import MissingAddressError, PermanentError

GATEWAYS: Mapping[str, type[SmsGateway]] = {"aliyun": AliyunGateway, "http": GenericGateway}
CAPS: Mapping[str, int] = {"DAILY_CAP_PER_PERSON": 20, "DAILY_CAP": 500}
"""A storm must not empty the account. 0: no cap."""


class SmsChannel(Channel):
    """One text message for each notification. Each is paid, so one that may have been sent is not sent again."""

    name = "SMS"
    option_names = frozenset(
        {"ENABLED", "GATEWAY", *NEEDED, "ENDPOINT", "TEMPLATE_PARAMS", "HTTP", *CAPS, "RATE_LIMIT"}
    )
    resends_unknown: ClassVar[bool] = False
    one_at_a_time: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._gateway = GATEWAYS.get(_wanted(options), AliyunGateway)(options)

    @property
    def daily_caps(self) -> DailyCaps:
        caps = {name: _cap(self.options, name) for name in CAPS}
        return DailyCaps(per_person=caps["DAILY_CAP_PER_PERSON"] or 0, total=caps["DAILY_CAP"] or 0)

    def problem(self) -> str:
        if found := self._gateway.problem():
            return found
        if _wanted(self.options) not in GATEWAYS:
            known = ", ".join(GATEWAYS)
            return _("SMS GATEWAY is not understood: write one of %(known)s") % {"known": known}
        for name in CAPS:
            if _cap(self.options, name) is None:
                return _("SMS %(name)s is not a whole number: write 0 for no cap") % {"name": name}
        return ""

    def address(self, person: Person) -> str:
        mobile = person.mobile.strip()
        if not mobile:
            raise MissingAddressError(_("no mobile set for %(name)s") % {"name": person.name})
        return normalise(mobile) or mobile

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return one_by_one(messages, self._accepted)

    def _accepted(self, message: Message, deadline: Deadline) -> tuple[str, str]:
        mobile = normalise(message.person.mobile)
        if not mobile:
            raise PermanentError(f"The mobile of {message.person.name} is not a number.")
        accepted = self._gateway.send(mobile, message, timeout_s=deadline.left_s())
        return accepted.code, accepted.answer


def _wanted(options: Mapping[str, Any]) -> str:
    return (setting(options, "GATEWAY") or "aliyun").lower()


def _cap(options: Mapping[str, Any], name: str) -> int | None:
    """None for what is no whole number from 0 up."""
    value = options.get(name, CAPS[name])
    return value if type(value) is int and value >= 0 else None
