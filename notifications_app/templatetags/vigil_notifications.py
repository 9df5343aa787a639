"""What the site's shell shows of notifications."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from notifications_app import inbox
from notifications_app.selectors import ChannelLine
from scheduler_app.templatetags.vigil import badge

register = template.Library()


@register.simple_tag
def unread_count(user: Any) -> int:
    """How many inbox entries the reader has not read."""
    return inbox.unread_count(user) if user.is_authenticated else 0


@register.simple_tag
def channel_badge(line: ChannelLine) -> SafeString:
    """Whether the channel is up, waits on purpose, or needs somebody to set it up."""
    if not line.state.enabled:
        return badge("OFF", pgettext("channel", "off"))
    if line.problem:
        return badge("UNCONFIGURED", _("unconfigured"))
    return badge("PAUSED", _("paused")) if line.is_paused else badge("UP", _("up"))


@register.filter
def gateway(line: ChannelLine, share: int) -> float | None:
    """The gateway's answering time in ms below which `share` percent of the calls stay."""
    return line.gateway_ms(share / 100)
