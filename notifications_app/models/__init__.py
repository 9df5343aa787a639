from __future__ import annotations

from notifications_app.models.channels import ChannelState, ChannelTally, GatewayTally
from notifications_app.models.notifications import AlertNotification, DeliveryAttempt
from notifications_app.models.preferences import NotificationSettings

__all__ = [
    "AlertNotification",
    "ChannelState",
    "ChannelTally",
    "DeliveryAttempt",
    "GatewayTally",
    "NotificationSettings",
]
