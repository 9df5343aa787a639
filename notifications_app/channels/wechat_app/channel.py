"""Messages of a WeChat Work application to each person's own chat (pages 91039 and 90236)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from django.utils.translation import gettext as _

from notifications_app import http_client
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.calls import Deadline, posts, shared
from notifications_app.channels.configuration import is_url, lacking, setting
from notifications_app.channels.wechat import errcodes, verdict
from notifications_app.channels.wechat.post import userid
from notifications_app.channels.wechat.robots import format_of
from notifications_app.channels.wechat_app.content import content
from notifications_app.channels.wechat_app.tokens import tokens_of
from notifications_app.errors import (
    DeliveryError,
    MissingAddressError,
    PermanentError,
    UnknownOutcomeError,
)
from scheduler_app.masking import MASK, add_secret, mask

API_URL = "https://qyapi.weixin.qq.com"
NEEDED = ("CORP_ID", "AGENT_ID", "SECRET")
STALE = frozenset(map(str, (errcodes.TOKEN_WRONG, errcodes.TOKEN_MISSING, errcodes.TOKEN_OLD)))


class WechatAppChannel(Channel):
    """One call for all people who are told the same of one happening; each has a verdict of their own.

    The limit is that of one member: what goes beyond it is thrown away without a word (page 90454).
    """

    name = "WECHAT_APP"
    option_names = frozenset({"ENABLED", *NEEDED, "API_URL", "FORMAT", "RATE_LIMIT"})
    batch_by_group: ClassVar[bool] = True
    usual_rate_limit: ClassVar[str] = "30/minute"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._api = (setting(options, "API_URL") or API_URL).rstrip("/")
        self._corp, self._secret = setting(options, "CORP_ID"), setting(options, "SECRET")
        add_secret(self._secret)
        self._tokens = tokens_of(self._api, self._corp, self._secret)

    def problem(self) -> str:
        if found := lacking(self.name, self.options, NEEDED):
            return found
        if not setting(self.options, "AGENT_ID").isdecimal():
            return _("WECHAT_APP_AGENT_ID is not a number")
        if not is_url(self._api) or urlsplit(self._api).query:
            return _("WECHAT_APP_API_URL is not a URL: write %(example)s") % {"example": API_URL}
        if format_of(self.options) is None:
            return _("WECHAT_APP FORMAT is not understood: write text, markdown or card")
        return ""

    def address(self, person: Person) -> str:
        if found := userid(person):
            return found
        text = _("no WeChat Work user id set for %(name)s") % {"name": person.name}
        raise MissingAddressError(text)

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        deadline = Deadline()
        return [
            outcome
            for post in posts(messages, lambda message: message.text)
            for outcome in self._send_post(post, deadline)
        ]

    def _send_post(self, messages: Sequence[Message], deadline: Deadline) -> list[Outcome]:
        left_out: dict[str, str] = {}
        found = shared(messages, partial(self._post, messages, deadline, left_out))
        return [
            _for_one(outcome, left_out.get(userid(message.person).casefold()))
            for message, outcome in zip(messages, found, strict=True)
        ]

    def _post(
        self, messages: Sequence[Message], deadline: Deadline, left_out: dict[str, str]
    ) -> tuple[str, str]:
        """Code and answer of an accepted message; puts into `left_out` who did not get it, and why."""
        body = {
            "touser": "|".join(dict.fromkeys(userid(message.person) for message in messages)),
            "agentid": int(setting(self.options, "AGENT_ID")),
            **content(messages, format_of(self.options)),
            "enable_duplicate_check": 1,
        }
        token = self._token(deadline)
        try:
            answer, found = self._call(token, body, deadline)
        except DeliveryError as error:
            if error.code not in STALE:
                raise
            # refused for its token only: nothing was sent
            answer, found = self._call(self._token(deadline, bad=token), body, deadline)
        for key, why in (("invaliduser", "unknown"), ("unlicenseduser", "without a licence")):
            names = filter(None, str(found.get(key) or "").split("|"))
            left_out.update({name.casefold(): why for name in names})
        return str(found["errcode"]), answer

    def _call(
        self, token: str, body: Mapping[str, Any], deadline: Deadline
    ) -> tuple[str, dict[str, Any]]:
        url = f"{self._api}/cgi-bin/message/send?{urlencode({'access_token': token})}"
        answer = http_client.post(url, json=body, timeout_s=deadline.left_s())
        answer = replace(answer, text=answer.text.replace(token, MASK))
        return mask(answer.text), verdict.accepted(answer)

    def _token(self, deadline: Deadline, *, bad: str = "") -> str:
        return self._tokens.get(self._fetch, deadline.left_s(), bad=bad)

    def _fetch(self, timeout_s: float) -> tuple[str, float]:
        query = urlencode({"corpid": self._corp, "corpsecret": self._secret})
        try:
            answer = http_client.get(f"{self._api}/cgi-bin/gettoken?{query}", timeout_s=timeout_s)
            found = verdict.accepted(answer)
        except UnknownOutcomeError as error:
            # only the token is missing: nothing was sent
            raise DeliveryError(f"No access token: {error}", answer=error.answer) from error
        token, life_s = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(life_s, int) or life_s <= 0:
            raise DeliveryError("WeChat Work gave no access token.", answer=mask(answer.text))
        return token, float(life_s)


def _for_one(outcome: Outcome, why: str | None) -> Outcome:
    """The outcome of one person: in a message that was accepted, some may be left out."""
    if outcome.error or why is None:
        return outcome
    text = f"WeChat Work left this person out: the user id is {why} there."
    error = PermanentError(text, code=outcome.code, answer=outcome.answer)
    return replace(outcome, error=error)
