"""Whom a notification concerns; and that an alert concerns whoever was told of it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from alerts_app import audience
from notifications_app.models import AlertNotification
from scheduler_app.people import is_staff


def visible_to(user: Any) -> QuerySet[AlertNotification]:
    """All notifications for staff, for others their own."""
    rows = AlertNotification.objects.all()
    return rows if is_staff(user) else rows.filter(recipient=user)


def was_told(user: Any) -> Q:
    """The alerts of which `user` was told."""
    return Q(pk__in=AlertNotification.objects.filter(recipient=user).values("alert"))


audience.add_rule(was_told)
