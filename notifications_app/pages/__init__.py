"""Pages of this app, and what it adds to those of the apps below: loaded with the addresses."""

from __future__ import annotations

from typing import Any

from alerts_app.models import AlertRecord
from alerts_app.pages import panels
from alerts_app.pages.panels import Panel
from notifications_app import audience, preferences
from scheduler_app.pages import reader

SHOWN = 100


def _zone_of(user: Any) -> str:
    return preferences.of(user).timezone


def _who_was_told(alert: AlertRecord, user: Any) -> Panel:
    """The latest notifications of the alert that `user` may see."""
    rows = audience.visible_to(user).filter(alert=alert).order_by("-pk")
    return Panel("notifications_app/_who_was_told.html", list(rows[:SHOWN]))


reader.add_zone_source(_zone_of)
panels.add(_who_was_told)
