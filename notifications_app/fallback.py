"""Whoever cannot be reached by a channel that is down is told in-app instead."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from notifications_app import queues
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationKind, NotificationState, Reason

IN_APP = "SYSTEM"


def tell_in_app(row: AlertNotification, now: datetime) -> None:
    """Make sure that the person of `row` has an in-app row for the same occurrence. In the caller's transaction."""
    if row.channel == IN_APP or row.kind == NotificationKind.TEST:
        return
    AlertNotification.objects.bulk_create(
        [
            AlertNotification(
                alert_id=row.alert_id,
                occurrence_id=row.occurrence_id,
                kind=row.kind,
                recipient_id=row.recipient_id,
                recipient_key=row.recipient_key,
                recipient_name=row.recipient_name,
                channel=IN_APP,
                severity=row.severity,
                priority=row.priority,
                state=NotificationState.PENDING,
                reason=Reason.CHANNEL_OFF,
                created_at=now,
                due_at=now,
                expires_at=row.expires_at,
            )
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: queues.ring([row.pk]), robust=True)
