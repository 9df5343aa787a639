from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from notifications_app.pages import (
    channels,
    confirmation,
    inbox,
    notifications,
    settings,
    unsubscribe,
)
from scheduler_app import converters  # noqa: F401 - registers the converter of ids

app_name = "vigil_notifications"
urlpatterns: list[URLPattern | URLResolver] = [
    path("notifications/", notifications.notification_list, name="notifications"),
    path(
        "notifications/<id:notification_id>/",
        notifications.notification_detail,
        name="notification",
    ),
    path("notifications/<id:notification_id>/requeue/", notifications.requeue, name="requeue"),
    path("channels/", channels.channel_list, name="channels"),
    path("channels/<str:channel>/switch/", channels.switch, name="channel-switch"),
    path("channels/<str:channel>/hold/", channels.hold, name="channel-hold"),
    path("channels/<str:channel>/test/", channels.test, name="channel-test"),
    path("inbox/", inbox.entries, name="inbox"),
    path("inbox/read/", inbox.mark_read, name="inbox-read"),
    path("confirm/<str:token>/", confirmation.confirm, name="confirm"),
    path("unsubscribe/<str:token>/", unsubscribe.end_email, name="unsubscribe"),
    path("settings/", settings.my_settings, name="settings"),
]
