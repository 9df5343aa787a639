from __future__ import annotations

from notifications_app.models.channels import (
    ChannelState,
    ChannelTally,
    DailyCount,
    GatewayTally,
    LaneState,
)
from notifications_app.models.notifications import AlertNotification, DeliveryAttempt
from notifications_app.models.preferences import NotificationSettings

__all__ = [
    "AlertNotification",
    "ChannelState",
    "ChannelTally",
    "DailyCount",
    "DeliveryAttempt",
    "GatewayTally",
    "LaneState",
    "NotificationSettings",
]
