"""The group robot of WeChat Work: one post for one alert, which mentions the people whom it concerns.

Source of the protocol: developer.work.weixin.qq.com/document/path/99110 (text at most 2048 bytes; HTTP 200 also for a
refusal, so that `errcode` decides; the key in the address is the only secret).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _

from notifications_app import conf, http_client
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.wechat.errcodes import PAUSE_S, error_of
from notifications_app.errors import (
    DeliveryError,
    MissingAddressError,
    ThrottledError,
    UnknownOutcomeError,
)
from scheduler_app.masking import add_secret, mask

TEXT_LIMIT_BYTES = 2048
MENTION = re.compile(r"<(?=@)")
EXAMPLE = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=..."


class WechatChannel(Channel):
    name = "WECHAT"
    batch_by_group = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._url = str(options.get("WEBHOOK_URL", "")).strip()
        add_secret(_key(self._url))

    def problem(self) -> str:
        if not self.options.get("ENABLED"):
            return _("WECHAT is switched off: set WECHAT_ENABLED=true and WECHAT_WEBHOOK_URL.")
        if urlsplit(self._url).scheme not in ("http", "https") or not _key(self._url):
            text = _("WECHAT_WEBHOOK_URL has to be the robot's whole address, like %(example)s")
            return text % {"example": EXAMPLE}
        return ""

    def address(self, person: Person) -> str:
        found = person.wechat_userid or person.mobile
        if not found:
            raise MissingAddressError(f"no WeChat Work user id or mobile set for {person.name}")
        return found

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """`messages` share a group, and so one post."""
        body = {"msgtype": "text", "text": _text(messages)}
        answer, error = None, None
        try:
            answer = http_client.post(self._url, json=body, timeout_s=conf.get().SEND_DEADLINE_S)
            error = _error_in(answer)
        except DeliveryError as failure:
            error = failure
        elapsed_ms = answer.elapsed_ms if answer else 0.0
        return [
            Outcome(
                message_id=message.id,
                error=error,
                gateway_ms=elapsed_ms,
                code=error.code if error else "0",
                answer=mask(answer.text) if answer else "",
            )
            for message in messages
        ]


def _key(url: str) -> str:
    return next(iter(parse_qs(urlsplit(url).query).get("key", [])), "")


def _error_in(answer: http_client.Answer) -> DeliveryError | None:
    """The verdict of the body; None when it was accepted."""
    verdict = answer.json()
    errcode = verdict.get("errcode") if verdict else None
    text = mask(answer.text)
    if answer.status == 429:
        wait_s = answer.retry_after_s or PAUSE_S
        return ThrottledError(
            "WeChat Work asks to slow down (HTTP 429).", retry_after_s=wait_s, answer=text
        )
    if answer.status >= 500:
        words = f"WeChat Work cannot take it now (HTTP {answer.status})."
        return DeliveryError(words, code=str(answer.status), answer=text)
    if isinstance(errcode, bool) or not isinstance(errcode, int):
        words = f"The answer (HTTP {answer.status}) says neither yes nor no."
        return UnknownOutcomeError(words, code=str(answer.status), answer=text)
    assert verdict is not None
    return error_of(errcode, mask(str(verdict.get("errmsg", ""))), text) if errcode else None


def _text(messages: Sequence[Message]) -> dict[str, Any]:
    """The post: people are mentioned by these lists alone, never by what an alert's text says."""
    people = [message.person for message in messages]
    userids = sorted({person.wechat_userid for person in people if person.wechat_userid})
    mobiles = sorted({p.mobile for p in people if p.mobile and not p.wechat_userid})
    return {
        "content": fit(MENTION.sub("＜", messages[0].text.strip()), messages[0].link),
        "mentioned_list": [userid for userid in userids if not userid.startswith("@")],
        "mentioned_mobile_list": mobiles,
    }


def fit(text: str, link: str, limit: int = TEXT_LIMIT_BYTES) -> str:
    """`text` within `limit` bytes of UTF-8, no character broken; the link stays at its end."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    tail = f"\n…\n{link}" if link else "\n…"
    room = limit - len(tail.encode())
    if room < 0:
        return data[:limit].decode("utf-8", "ignore")
    return data[:room].decode("utf-8", "ignore") + tail
