"""Whom a notification concerns: its recipient; and that an alert concerns the people who were notified of it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from alerts_app import audience
from notifications_app.models import AlertNotification
from scheduler_app.people import may

VIEW_NOTIFICATIONS = "notifications_app.view_alertnotification"
REQUEUE = "notifications_app.change_alertnotification"
VIEW_CHANNELS = "notifications_app.view_channelstate"
CHANGE_CHANNELS = "notifications_app.change_channelstate"
VIEW_SETTINGS = "notifications_app.view_notificationsettings"
CHANGE_SETTINGS = "notifications_app.change_notificationsettings"


def visible_to(user: Any) -> QuerySet[AlertNotification]:
    """All notifications with permission to view them, else those to `user`."""
    rows = AlertNotification.objects.all()
    return rows if may(user, VIEW_NOTIFICATIONS) else rows.filter(recipient=user)


def was_told(user: Any) -> Q:
    """The alerts of which `user` was told."""
    return Q(pk__in=AlertNotification.objects.filter(recipient=user).values("alert"))


audience.add_rule(was_told)
