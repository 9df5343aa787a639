"""Old alerts: resolved long ago, and nothing of another app hangs on them any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from alerts_app import conf
from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import AlertState
from scheduler_app import retention

Narrow = Callable[[QuerySet[AlertRecord]], QuerySet[AlertRecord]]
"""Leaves out the alerts on which rows of an app above hang."""

_narrowers: dict[str, Narrow] = {}


def connect() -> None:
    retention.register("occurrences", _occurrences)
    retention.register("alerts", _alerts)


def keep_some(name: str, narrow: Narrow) -> None:
    """Let an app above keep alerts until it has pruned (and booked) its own rows."""
    _narrowers[name] = narrow


def old_alerts(now: datetime) -> QuerySet[AlertRecord]:
    """What may go: resolved, old, with nobody left to be told."""
    moment = now - timedelta(days=conf.get().KEEP_RESOLVED_DAYS)
    untold = AlertOccurrence.objects.filter(alert=OuterRef("pk"), fan_out_due=True)
    old = AlertRecord.objects.filter(state=AlertState.RESOLVED, resolved_at__lt=moment)
    old = old.exclude(Exists(untold))
    for narrow in _narrowers.values():
        old = narrow(old)
    return old.order_by("pk")


def _occurrences(now: datetime, dry_run: bool) -> int:
    """Before the alerts, as one alert can have any number of them."""
    old = AlertOccurrence.objects.filter(alert__in=old_alerts(now).order_by().values("pk"))
    return retention.delete_in_batches(old.order_by("pk"), along="pk", dry_run=dry_run)


def _alerts(now: datetime, dry_run: bool) -> int:
    return retention.delete_in_batches(old_alerts(now), along="pk", dry_run=dry_run)
