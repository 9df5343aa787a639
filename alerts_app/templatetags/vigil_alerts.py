"""How pages call an alert."""

from __future__ import annotations

from django import template

from alerts_app import titles
from alerts_app.models import AlertOccurrence, AlertRecord

register = template.Library()


@register.filter
def alert_title(alert: AlertRecord, occurrence: AlertOccurrence | None = None) -> str:
    """What happened, at `occurrence` or last, in the reader's language."""
    return titles.title_of(alert, occurrence)
