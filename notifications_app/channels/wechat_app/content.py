"""What an application's message says. Limits as in page 90236: what is longer is cut there without a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import translation

from notifications_app import conf
from notifications_app.channels.base import Message
from notifications_app.channels.wechat import plain, post
from notifications_app.channels.wechat.robots import Format

LIMIT_BYTES = 2048


def content(messages: Sequence[Message], format: Format | None) -> dict[str, Any]:
    """The type and the words, for people who read the same. A card without a link becomes a text."""
    first = messages[0]
    with translation.override(first.person.language):
        if format is Format.MARKDOWN:
            return {
                "msgtype": "markdown",
                "markdown": {"content": post.written(first, LIMIT_BYTES)},
            }
        address = plain.link(first.link or conf.get().SITE_URL)
        if format is Format.CARD and address:
            return {"msgtype": "template_card", "template_card": post.notice(messages, address)}
    return {"msgtype": "text", "text": {"content": post.fit(first.text, first.link, LIMIT_BYTES)}}
