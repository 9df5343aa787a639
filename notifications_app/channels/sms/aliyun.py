"""Aliyun's SMS service: SendSms of 2017-05-25 (help.aliyun.com/document_detail/419273)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from notifications_app import http_client
from notifications_app.channels.base import Message
from notifications_app.channels.configuration import is_url, lacking, setting
from notifications_app.channels.sms import aliyun_codes, template
from notifications_app.channels.sms.aliyun_signature import Request, canonical_query, headers_for
from notifications_app.channels.sms.gateway import Accepted, SmsGateway
from notifications_app.errors import UnknownOutcomeError
from notifications_app.http_client import Answer
from scheduler_app.masking import add_secret, mask
from scheduler_app.texts import cut_line

NEEDED = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SIGN_NAME", "TEMPLATE_CODE")
ENDPOINT = "https://dysmsapi.aliyuncs.com"
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class AliyunGateway(SmsGateway):
    """Sends by SIGN_NAME and TEMPLATE_CODE, both approved in Aliyun's console.

    TEMPLATE_PARAMS names the template's variables and what each says (one of `template.FIELDS`).
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._endpoint = (setting(options, "ENDPOINT") or ENDPOINT).rstrip("/")
        self._params = options.get("TEMPLATE_PARAMS") or template.USUAL
        add_secret(setting(options, "ACCESS_KEY_SECRET"))

    def problem(self) -> str:
        if found := lacking("SMS", self.options, NEEDED):
            return found
        if not is_url(self._endpoint):
            return _("SMS_ENDPOINT is not a URL: write %(example)s") % {"example": ENDPOINT}
        if not isinstance(self._params, Mapping):
            return _("SMS TEMPLATE_PARAMS is not a dict")
        for variable, field in self._params.items():
            if not _VARIABLE.fullmatch(str(variable)) or field not in template.FIELDS:
                facts = {
                    "entry": f"{variable}: {field}",
                    "known": ", ".join(sorted(template.FIELDS)),
                }
                return _("SMS TEMPLATE_PARAMS[%(entry)s] names none of %(known)s") % facts
        return ""

    def send(self, mobile: str, message: Message, *, timeout_s: float) -> Accepted:
        words = template.params(message, self._params)
        query = {
            "SignName": setting(self.options, "SIGN_NAME"),
            "TemplateCode": setting(self.options, "TEMPLATE_CODE"),
            "PhoneNumbers": mobile,
            "TemplateParam": json.dumps(words, ensure_ascii=False),
            "OutId": message.id,
        }
        request = Request(
            host=urlsplit(self._endpoint).netloc,
            action="SendSms",
            version="2017-05-25",
            query=query,
            at=datetime.now(UTC),
            nonce=uuid.uuid4().hex,
        )
        url = f"{self._endpoint}/?{canonical_query(query)}"
        headers = headers_for(
            request,
            setting(self.options, "ACCESS_KEY_ID"),
            setting(self.options, "ACCESS_KEY_SECRET"),
        )
        return _verdict(http_client.post(url, headers=headers, timeout_s=timeout_s))


def _verdict(answer: Answer) -> Accepted:
    """By `Code` in the body: HTTP 200 alone says nothing. Raises what else it means."""
    kept = mask(answer.text)
    found = answer.json_object() or {}
    code = found.get("Code")
    if code == aliyun_codes.OK and answer.status == 200:
        return Accepted(code=code, answer=kept)
    if isinstance(code, str) and code and code != aliyun_codes.OK:
        raise aliyun_codes.error_for(code, cut_line(mask(str(found.get("Message"))), 200), kept)
    refused = http_client.refusal(answer, "Aliyun")
    if refused and answer.status < 500:
        raise refused
    # behind a proxy that gave up the message may be on its way, and a second one costs money
    text = f"Aliyun answered HTTP {answer.status} without a verdict, so it may have been sent."
    raise UnknownOutcomeError(text, code=f"HTTP {answer.status}", answer=kept)
