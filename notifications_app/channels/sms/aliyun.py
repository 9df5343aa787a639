"""Aliyun's SMS service: SendSms of 2017-05-25 (help.aliyun.com/document_detail/419273)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from notifications_app import http_client
from notifications_app.channels.sms import aliyun_codes
from notifications_app.channels.sms.aliyun_signature import Request, canonical_query, headers_for
from notifications_app.channels.sms.gateway import Accepted, SmsGateway
from notifications_app.errors import UnknownOutcomeError
from notifications_app.http_client import Answer
from scheduler_app.masking import mask
from scheduler_app.texts import cut_line


class AliyunGateway(SmsGateway):
    """Sends by `sign_name` and `template_code`, both approved in Aliyun's console."""

    def __init__(
        self, *, endpoint: str, key_id: str, key_secret: str, sign_name: str, template_code: str
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._key_id = key_id
        self._key_secret = key_secret
        self._fixed = {"SignName": sign_name, "TemplateCode": template_code}

    def send(
        self, mobile: str, params: Mapping[str, str], message_id: str, *, timeout_s: float
    ) -> Accepted:
        query = {
            **self._fixed,
            "PhoneNumbers": mobile,
            "TemplateParam": json.dumps(dict(params), ensure_ascii=False),
            "OutId": message_id,
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
        headers = headers_for(request, self._key_id, self._key_secret)
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
