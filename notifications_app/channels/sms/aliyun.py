"""Aliyun SMS: `SendSms` of the API 2017-05-25, signed by version 1 (HMAC-SHA1 over the sorted parameters).

Source: help.aliyun.com/document_detail/101346 (action), /101343 (signature), /101346 (codes). It is not idempotent: a
message sent again is a message paid again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from notifications_app import http_client
from notifications_app.channels.sms.gateway import Receipt, SmsGateway
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from scheduler_app.masking import add_secret, mask

NEEDED = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SIGN_NAME", "TEMPLATE_CODE", "ENDPOINT")
DAY_S, HOUR_S, MINUTE_S = 86_400.0, 3_600.0, 60.0
THROTTLED = {
    "isv.BUSINESS_LIMIT_CONTROL": HOUR_S,
    "isv.DAY_LIMIT_CONTROL": DAY_S,
    "isv.MONTH_LIMIT_CONTROL": DAY_S,
    "Throttling": MINUTE_S,
    "Throttling.User": MINUTE_S,
    "Throttling.Api": MINUTE_S,
}
PERMANENT = (
    "isv.MOBILE_NUMBER_ILLEGAL",
    "isv.MOBILE_COUNT_OVER_LIMIT",
    "isv.TEMPLATE_MISSING_PARAMETERS",
    "isv.TEMPLATE_PARAMS_ILLEGAL",
    "isv.INVALID_JSON_PARAM",
    "isv.PARAM_LENGTH_LIMIT",
    "isv.PARAM_NOT_SUPPORT_URL",
    "isv.BLACK_KEY_CONTROL_LIMIT",
)
TRANSIENT = ("isp.SYSTEM_ERROR", "ServiceUnavailable", "InternalError")


class AliyunGateway(SmsGateway):
    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = {name: str(options.get(name, "")).strip() for name in NEEDED}
        add_secret(self._options["ACCESS_KEY_SECRET"])

    def problem(self) -> str:
        missing = [f"SMS_{name}" for name in NEEDED if not self._options[name]]
        text = _("SMS is not configured: set %(names)s.") % {"names": ", ".join(missing)}
        return text if missing else ""

    def send(
        self, mobile: str, params: Mapping[str, str], *, message_id: str, timeout_s: float
    ) -> Receipt:
        form = self._signed(
            {
                "PhoneNumbers": mobile,
                "SignName": self._options["SIGN_NAME"],
                "TemplateCode": self._options["TEMPLATE_CODE"],
                "TemplateParam": json.dumps(params, ensure_ascii=False),
                "OutId": message_id,
            }
        )
        answer = http_client.post(self._options["ENDPOINT"], data=form, timeout_s=timeout_s)
        verdict = answer.json()
        code = str(verdict.get("Code", "")) if verdict else ""
        if not verdict or not code:
            words = f"The answer (HTTP {answer.status}) says neither yes nor no."
            raise UnknownOutcomeError(words, code=str(answer.status), answer=mask(answer.text))
        if code != "OK":
            raise error_of(code, str(verdict.get("Message", "")), mask(answer.text))
        return Receipt(code=code, answer=mask(answer.text), gateway_ms=answer.elapsed_ms)

    def _signed(self, action: Mapping[str, str]) -> dict[str, str]:
        form = {
            "Action": "SendSms",
            "Version": "2017-05-25",
            "RegionId": "cn-hangzhou",
            "Format": "JSON",
            "AccessKeyId": self._options["ACCESS_KEY_ID"],
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **action,
        }
        return {**form, "Signature": signature(form, self._options["ACCESS_KEY_SECRET"])}


def signature(form: Mapping[str, str], secret: str) -> str:
    """Of a POST to `/`: base64 of HMAC-SHA1 with `secret&` as its key."""
    query = "&".join(f"{_quoted(name)}={_quoted(form[name])}" for name in sorted(form))
    text = f"POST&{_quoted('/')}&{_quoted(query)}"
    digest = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def error_of(code: str, words: str, answer: str) -> DeliveryError:
    """The error for a code other than OK. What is in no table is the account's fault: signature, template, balance."""
    text = f"Aliyun: {mask(words)[:200]} ({code})"
    if code in THROTTLED:
        wait_s = THROTTLED[code]
        if code == "isv.BUSINESS_LIMIT_CONTROL":
            wait_s = _span_named_in(words)
        return ThrottledError(text, retry_after_s=wait_s, code=code, answer=answer)
    if code in PERMANENT:
        return PermanentError(text, code=code, answer=answer)
    if code in TRANSIENT:
        return DeliveryError(text, code=code, answer=answer)
    return ConfigurationError(text, code=code, answer=answer)


def _span_named_in(words: str) -> float:
    """The message names the limit: 触发分钟级流控, 触发小时级流控, 触发天级流控."""
    if "分钟" in words or "minute" in words.lower():
        return MINUTE_S
    return DAY_S if "天" in words or "day" in words.lower() else HOUR_S


def _quoted(text: str) -> str:
    return quote(text, safe="~")
