"""What is posted to a group: a text within the limit, and whom it mentions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from notifications_app.channels.base import Message, Person
from notifications_app.channels.mobile import normalise
from scheduler_app.texts import clean

TEXT_LIMIT_BYTES = 2048
_ELLIPSIS = "…\n"


def compose(messages: Sequence[Message], limit: int = TEXT_LIMIT_BYTES) -> dict[str, Any]:
    """The JSON of one post about one happening: worded by the first message, mentioning everybody.

    `msgtype` is text, the only one that mentions people by id (page 99110).
    """
    first = messages[0]
    text: dict[str, Any] = {"content": fit(first.text, first.link, limit)}
    people = [message.person for message in messages]
    if ids := list(dict.fromkeys(filter(None, map(userid, people)))):
        text["mentioned_list"] = ids
    numbers = (normalise(person.mobile) for person in people if not userid(person))
    if mobiles := list(dict.fromkeys(filter(None, numbers))):
        text["mentioned_mobile_list"] = mobiles
    return {"msgtype": "text", "text": text}


def userid(person: Person) -> str:
    """Their id, "" for none. What begins with @ is none: `@all` would call everybody."""
    found = person.wechat_userid.strip()
    return "" if found.startswith("@") else found


def fit(text: str, link: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8, with `link` as its last line; it mentions nobody.

    A link of more than half the limit is left out where something has to go.
    """
    text, link = _harmless(text), _harmless(link)
    if link and not text.endswith(link):
        text = f"{text}\n{link}"
    data = text.encode()
    if len(data) <= limit:
        return text
    tail = _ELLIPSIS + (link if len(link.encode()) <= limit // 2 else "")
    head = data[: limit - len(tail.encode())].decode("utf-8", "ignore")
    return head.rstrip() + tail.rstrip()


def _harmless(text: str) -> str:
    """`<@id>` in a text calls that person, and texts come from logs and foreign systems."""
    return clean(text).strip().replace("<@", "＜@")
