"""The in-app inbox: a person's SYSTEM notifications that arrived."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now


def entries(user: Any) -> QuerySet[AlertNotification]:
    """What `user` was told in-app, the newest first."""
    mine = AlertNotification.objects.filter(recipient=user, channel="SYSTEM", state="SENT")
    return mine.select_related("alert", "occurrence").order_by("-id")


def unread_count(user: Any) -> int:
    return entries(user).filter(read_at=None).count()


def mark_read(user: Any, ids: Iterable[int] | None = None) -> int:
    """Mark `ids` (all by default) as read; returns how many were unread."""
    unread = AlertNotification.objects.filter(
        recipient=user, channel="SYSTEM", state="SENT", read_at=None
    )
    if ids is not None:
        unread = unread.filter(pk__in=list(ids))
    return unread.update(read_at=db_now())
