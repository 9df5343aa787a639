"""The channels: how they do, their switches, and a test message to oneself."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from notifications_app import channel_states, lanes, selectors, test_messages
from notifications_app.audience import CHANGE_CHANNELS
from notifications_app.channels import registry
from notifications_app.errors import NotificationError
from scheduler_app.clock import db_now
from scheduler_app.pages.reader import action, is_refresh, page
from scheduler_app.pages.rendering import render


@page
def channel_list(request: HttpRequest) -> HttpResponse:
    now = db_now()
    context = {
        "channels": selectors.channel_lines(now),
        "queue": selectors.queue_facts(now),
        "now": now,
    }
    part = "_channels_live.html" if is_refresh(request) else "channels.html"
    return render(request, f"notifications_app/{part}", context)


@action(NotificationError, needs=CHANGE_CHANNELS)
def switch(request: HttpRequest, channel: str) -> str:
    wanted = request.POST.get("enabled") == "on"
    channel_states.set_enabled(_known(channel), wanted, by=_name(request))
    text = _("%(channel)s is switched on.") if wanted else _("%(channel)s is switched off.")
    return text % {"channel": channel}


@action(NotificationError, needs=CHANGE_CHANNELS)
def hold(request: HttpRequest, channel: str) -> str:
    wanted = request.POST.get("held") == "on"
    channel_states.set_held(_known(channel), wanted, by=_name(request))
    if not wanted:
        lanes.resume(channel, by=_name(request))
    text = _("%(channel)s is paused: messages wait.") if wanted else _("%(channel)s goes on.")
    return text % {"channel": channel}


@action(NotificationError, needs="")
def test(request: HttpRequest, channel: str) -> str:
    test_messages.send_test(_known(channel), request.user, by=_name(request), is_limited=True)
    return _("A test message by %(channel)s is on its way to you.") % {"channel": channel}


def _known(channel: str) -> str:
    if channel not in registry.names():
        raise Http404
    return channel


def _name(request: HttpRequest) -> str:
    return str(request.user.get_username())
