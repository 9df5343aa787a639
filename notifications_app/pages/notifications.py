"""What was told to whom, and each attempt at it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications_app import outbox
from notifications_app.audience import REQUEUE, VIEW_NOTIFICATIONS, visible_to
from notifications_app.channels import registry
from notifications_app.errors import NotificationError
from notifications_app.states import NotificationState
from notifications_app.trace import RELATED, trace
from scheduler_app.clock import db_now
from scheduler_app.pages.keyset import portion
from scheduler_app.pages.reader import action, is_refresh, page
from scheduler_app.pages.rendering import render
from scheduler_app.people import may
from scheduler_app.texts import typed


@page
def notification_list(request: HttpRequest) -> HttpResponse:
    rows = visible_to(request.user).select_related("alert")
    state, channel = request.GET.get("state", ""), request.GET.get("channel", "")
    person = typed(request.GET.get("person", ""))[:150]
    if state in NotificationState.values:
        rows = rows.filter(state=state)
    if channel in registry.names():
        rows = rows.filter(channel=channel)
    if person and may(request.user, VIEW_NOTIFICATIONS):
        rows = rows.filter(recipient_name__icontains=person)
    context = {
        "notifications": portion(request, rows),
        "state": state,
        "channel": channel,
        "person": person,
        "states": NotificationState.choices,
        "channels": registry.names(),
        "is_filtered": bool(state or channel or person),
    }
    part = "_notifications_live.html" if is_refresh(request) else "notifications.html"
    return render(request, f"notifications_app/{part}", context)


@page
def notification_detail(request: HttpRequest, notification_id: int) -> HttpResponse:
    rows = visible_to(request.user).select_related(*RELATED)
    row = get_object_or_404(rows, pk=notification_id)
    context = {"notification": row, "trace": trace(row, db_now())}
    return render(request, "notifications_app/notification.html", context)


@action(NotificationError, needs=REQUEUE)
def requeue(request: HttpRequest, notification_id: int) -> str:
    count = outbox.requeue([notification_id], by=str(request.user.get_username()))
    if not count:
        raise NotificationError(_("Only a message that was given up can be sent again."))
    text = ngettext("%(n)s message goes out again.", "%(n)s messages go out again.", count)
    return text % {"n": count}
