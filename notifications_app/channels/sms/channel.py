"""Text messages, by whichever gateway is configured (today Aliyun's)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.configuration import lacking, setting
from notifications_app.channels.mobile import normalise
from notifications_app.channels.sms.aliyun import AliyunGateway
from notifications_app.channels.sms.gateway import Accepted, SmsGateway
from notifications_app.channels.sms.template import params
from notifications_app.errors import DeliveryError, MissingAddressError, PermanentError
from scheduler_app.masking import add_secret

NEEDED = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SIGN_NAME", "TEMPLATE_CODE")
ENDPOINT = "https://dysmsapi.aliyuncs.com"
LEAST_S = 1.0
"""With less time left nothing is begun."""


class SmsChannel(Channel):
    """One text message for each notification. Each is paid, so one that may have been sent is not sent again."""

    name = "SMS"
    resends_unknown: ClassVar[bool] = False

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        add_secret(setting(options, "ACCESS_KEY_SECRET"))
        self._gateway = _gateway(options)

    def problem(self) -> str:
        if found := lacking(self.name, self.options, NEEDED):
            return found
        if not _is_url(_endpoint(self.options)):
            return _("SMS_ENDPOINT is not a URL: write %(example)s") % {"example": ENDPOINT}
        return ""

    def address(self, person: Person) -> str:
        mobile = person.mobile.strip()
        if not mobile:
            raise MissingAddressError(_("no mobile set for %(name)s") % {"name": person.name})
        return normalise(mobile) or mobile

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        deadline_s = time.monotonic() + conf.get().SEND_DEADLINE_S
        return [self._send_one(message, deadline_s) for message in messages]

    def _send_one(self, message: Message, deadline_s: float) -> Outcome:
        began_s = time.monotonic()
        error: DeliveryError | None = None
        code = answer = ""
        try:
            accepted = self._accepted(message, deadline_s - began_s)
            code, answer = accepted.code, accepted.answer
        except DeliveryError as caught:
            error = caught
        gateway_ms = (time.monotonic() - began_s) * 1000
        return Outcome(
            message_id=message.id, error=error, gateway_ms=gateway_ms, code=code, answer=answer
        )

    def _accepted(self, message: Message, left_s: float) -> Accepted:
        if left_s < LEAST_S:
            raise DeliveryError("No time was left for this message.")
        mobile = normalise(message.person.mobile)
        if not mobile:
            raise PermanentError(f"The mobile of {message.person.name} is not a number.")
        return self._gateway.send(mobile, params(message), message.id, timeout_s=left_s)


def _gateway(options: Mapping[str, Any]) -> SmsGateway:
    return AliyunGateway(
        endpoint=_endpoint(options),
        key_id=setting(options, "ACCESS_KEY_ID"),
        key_secret=setting(options, "ACCESS_KEY_SECRET"),
        sign_name=setting(options, "SIGN_NAME"),
        template_code=setting(options, "TEMPLATE_CODE"),
    )


def _endpoint(options: Mapping[str, Any]) -> str:
    return setting(options, "ENDPOINT") or ENDPOINT


def _is_url(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
