"""Pages of this app, and what it adds to those of the apps below: loaded with the addresses."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from alerts_app.models import AlertRecord
from alerts_app.pages import extensions
from alerts_app.pages.extensions import Panel
from notifications_app import preferences
from notifications_app.models import AlertNotification
from scheduler_app.pages import reader

SHOWN = 100


def _zone_of(user: Any) -> str:
    return preferences.of(user).timezone


def _was_told(user: Any) -> Q:
    return Q(pk__in=AlertNotification.objects.filter(recipient=user).values("alert"))


def _who_was_told(alert: AlertRecord, user: Any) -> Panel:
    """The latest notifications of the alert: all for staff, for others their own."""
    rows = AlertNotification.objects.filter(alert=alert).order_by("-pk")
    rows = rows if user.is_staff else rows.filter(recipient=user)
    return Panel("notifications_app/_who_was_told.html", list(rows[:SHOWN]))


reader.add_zone_source(_zone_of)
extensions.add_reader_rule(_was_told)
extensions.add_panel(_who_was_told)
