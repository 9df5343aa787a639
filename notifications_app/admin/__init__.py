"""The Django admin of notifications, channels and what people want to be told."""

from __future__ import annotations

from notifications_app.admin.channels import ChannelStateAdmin
from notifications_app.admin.notifications import AlertNotificationAdmin
from notifications_app.admin.preferences import NotificationSettingsAdmin

__all__ = ["AlertNotificationAdmin", "ChannelStateAdmin", "NotificationSettingsAdmin"]
