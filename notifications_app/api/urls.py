"""The API of this app, each address with and without a slash at its end."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver
from rest_framework import status

from notifications_app.api import channels, inbox, notifications, settings
from notifications_app.errors import TooManyError
from scheduler_app.api import errors
from scheduler_app.api.paging import ID
from scheduler_app.api.routes import route

errors.register(TooManyError, status.HTTP_429_TOO_MANY_REQUESTS)

NOTIFICATION = f"notifications/(?P<notification_id>{ID})"
CHANNEL = "notifications/channels/(?P<channel>[A-Za-z0-9_]+)"

app_name = "vigil_notifications_api"
urlpatterns: list[URLPattern | URLResolver] = [
    route("notifications", notifications.Notifications, "notifications"),
    route(NOTIFICATION, notifications.Notification, "notification"),
    route(f"{NOTIFICATION}/trace", notifications.NotificationTrace, "trace"),
    route("notifications/requeue", notifications.RequeueMany, "requeue-many"),
    route(f"{NOTIFICATION}/requeue", notifications.Requeue, "requeue"),
    route("notifications/settings", settings.Settings, "settings"),
    route("notifications/inbox", inbox.Inbox, "inbox"),
    route("notifications/inbox/read", inbox.MarkRead, "inbox-read"),
    route("notifications/channels", channels.Channels, "channels"),
    route(f"{CHANNEL}/enable", channels.Enable, "channel-enable"),
    route(f"{CHANNEL}/disable", channels.Disable, "channel-disable"),
    route(f"{CHANNEL}/hold", channels.Hold, "channel-hold"),
    route(f"{CHANNEL}/release", channels.Release, "channel-release"),
    route(f"{CHANNEL}/resume", channels.Resume, "channel-resume"),
    route(f"{CHANNEL}/test", channels.Test, "channel-test"),
]
