"""Which channels there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifications_app.channels.base import Channel
from notifications_app.channels.email.channel import EmailChannel
from notifications_app.channels.sms.channel import SmsChannel
from notifications_app.channels.system.channel import SystemChannel
from notifications_app.channels.wechat.channel import WechatChannel

_CHANNELS: dict[str, type[Channel]] = {
    kind.name: kind for kind in (SystemChannel, EmailChannel, WechatChannel, SmsChannel)
}


def names() -> tuple[str, ...]:
    """In the order in which people read them."""
    return tuple(_CHANNELS)


def create(name: str, options: Mapping[str, Any]) -> Channel:
    """A channel with `options`. Raises KeyError for a name that is none."""
    return _CHANNELS[name](options)
