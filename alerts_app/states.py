"""The closed sets of alerts, and the moves an alert may make."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AlertState(TextChoices):
    OPEN = "OPEN", _("open")
    ACKNOWLEDGED = "ACKNOWLEDGED", _("acknowledged")
    RESOLVED = "RESOLVED", _("resolved")


MOVES: dict[AlertState, tuple[AlertState, ...]] = {
    AlertState.OPEN: (AlertState.ACKNOWLEDGED, AlertState.RESOLVED),
    AlertState.ACKNOWLEDGED: (AlertState.RESOLVED,),
}


class OccurrenceKind(TextChoices):
    FIRE = "FIRE", _("fired")
    RESOLVE = "RESOLVE", _("resolved")


class Source(TextChoices):
    RUN = "RUN", _("job run")
    CODE = "CODE", _("own code")
    CHANNEL = "CHANNEL", _("channel")
    TEST = "TEST", _("test")
