"""Group robot of WeChat Work (today's name there: message push)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _

from notifications_app import conf, http_client
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.configuration import lacking, setting
from notifications_app.channels.mobile import normalise
from notifications_app.channels.wechat import errcodes, post
from notifications_app.errors import DeliveryError, MissingAddressError, UnknownOutcomeError
from notifications_app.http_client import Answer
from scheduler_app.masking import add_secret, mask
from scheduler_app.texts import cut_line

EXAMPLE = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=YOUR_KEY"
LEAST_S = 1.0
"""With less time left nothing is begun."""


class WechatChannel(Channel):
    """Posts to the group of `WEBHOOK_URL`, one post for all people of one happening."""

    name = "WECHAT"
    batch_by_group: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._url = setting(options, "WEBHOOK_URL")
        add_secret(_key(self._url))

    def problem(self) -> str:
        if found := lacking(self.name, self.options, ["WEBHOOK_URL"]):
            return found
        if not _key(self._url):
            text = _("WECHAT_WEBHOOK_URL is not the whole URL of a group robot: write %(example)s")
            return text % {"example": EXAMPLE}
        return ""

    def address(self, person: Person) -> str:
        found = post.userid(person) or normalise(person.mobile)
        if not found:
            text = _("no WeChat Work user id or mobile set for %(name)s") % {"name": person.name}
            raise MissingAddressError(text)
        return found

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        deadline_s = time.monotonic() + conf.get().SEND_DEADLINE_S
        groups: dict[str, list[Message]] = {}
        for message in messages:
            groups.setdefault(message.group, []).append(message)
        return [
            outcome for group in groups.values() for outcome in self._send_group(group, deadline_s)
        ]

    def _send_group(self, messages: Sequence[Message], deadline_s: float) -> list[Outcome]:
        """One post; everybody of the group shares what came of it."""
        began_s = time.monotonic()
        error: DeliveryError | None = None
        code = answer = ""
        try:
            code, answer = self._post(messages, deadline_s)
        except DeliveryError as caught:
            error = caught
        gateway_ms = (time.monotonic() - began_s) * 1000
        return [
            Outcome(
                message_id=message.id, error=error, gateway_ms=gateway_ms, code=code, answer=answer
            )
            for message in messages
        ]

    def _post(self, messages: Sequence[Message], deadline_s: float) -> tuple[str, str]:
        """Code and answer of an accepted post. A text that is called too long is tried once more at half its length."""
        try:
            return self._post_once(messages, post.TEXT_LIMIT_BYTES, deadline_s)
        except DeliveryError as error:
            if error.code != str(errcodes.TOO_LONG):
                raise
        return self._post_once(messages, post.TEXT_LIMIT_BYTES // 2, deadline_s)

    def _post_once(
        self, messages: Sequence[Message], limit: int, deadline_s: float
    ) -> tuple[str, str]:
        left_s = deadline_s - time.monotonic()
        if left_s < LEAST_S:
            raise DeliveryError("No time was left for this message.")
        body = post.compose(messages, limit)
        return _verdict(http_client.post(self._url, json=body, timeout_s=left_s))


def _verdict(answer: Answer) -> tuple[str, str]:
    """Code and answer of an accepted post, by the errcode in the body. Raises what else it means."""
    kept = mask(answer.text)
    found = answer.json_object() or {}
    errcode = found.get("errcode")
    if isinstance(errcode, int) and not isinstance(errcode, bool):
        if errcode == errcodes.OK and answer.status == 200:
            return str(errcode), kept
        if errcode != errcodes.OK:
            raise errcodes.error_for(errcode, cut_line(mask(str(found.get("errmsg"))), 200), kept)
    if refused := http_client.refusal(answer, "WeChat Work"):
        raise refused
    said = cut_line(kept, 200) or "nothing"
    text = f"WeChat Work answered without an errcode, so it may have arrived: {said}"
    raise UnknownOutcomeError(text, code=f"HTTP {answer.status}", answer=kept)


def _key(url: str) -> str:
    """The secret in the URL; "" for what is not the URL of a robot."""
    try:
        parts = urlsplit(url)
        keys = parse_qs(parts.query).get("key", [""])
    except ValueError:
        return ""
    return keys[0] if parts.scheme in ("http", "https") and parts.hostname else ""
