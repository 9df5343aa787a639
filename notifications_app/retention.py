"""Old notifications go with their attempts, which are booked; alerts stay until these are gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, QuerySet

from alerts_app import retention as alerts_retention
from alerts_app.models import AlertRecord
from notifications_app import conf
from notifications_app.models import (
    AlertNotification,
    ChannelTally,
    DeliveryAttempt,
    GatewayTally,
)
from notifications_app.states import FINAL_STATES
from scheduler_app import bulk, retention
from scheduler_app.models.tallies import ALL_TIME


def connect() -> None:
    retention.register("notifications", _notifications)
    retention.register("channel tallies", _hours)
    alerts_retention.keep_some("notifications", _without_notifications)


def _notifications(now: datetime, dry_run: bool) -> int:
    return sum(
        retention.delete_in_batches(old, along="finished_at", dry_run=dry_run, hook=_book_attempts)
        for old in (_old(state, now) for state in FINAL_STATES)
    )


def _old(state: str, now: datetime) -> QuerySet[AlertNotification]:
    moment = now - timedelta(days=conf.get().KEEP_DAYS)
    ended = AlertNotification.objects.filter(state=state, finished_at__lt=moment)
    # what still waits for its end would be let go by its deletion
    waiting = AlertNotification.objects.filter(held_by=OuterRef("pk"))
    return ended.exclude(Exists(waiting)).order_by("finished_at")


def _book_attempts(rows: QuerySet[AlertNotification]) -> None:
    attempts = DeliveryAttempt.objects.filter(notification__in=rows.values("pk")).order_by()
    counts = attempts.values("channel", "outcome").annotate(counted=Count("pk"))
    bulk.add_to(
        ChannelTally,
        [
            {
                "hour": ALL_TIME,
                "channel": row["channel"],
                "outcome": row["outcome"],
                "pruned": row["counted"],
            }
            for row in counts
        ],
        keys=("hour", "channel", "outcome"),
        sums=("pruned",),
    )
    attempts.delete()


def _hours(now: datetime, dry_run: bool) -> int:
    moment = now - timedelta(days=conf.get().KEEP_DAYS)
    return sum(
        retention.delete_in_batches(
            retention.hours_before(model, moment), along="hour", dry_run=dry_run
        )
        for model in (ChannelTally, GatewayTally)
    )


def _without_notifications(alerts: QuerySet[AlertRecord]) -> QuerySet[AlertRecord]:
    return alerts.exclude(Exists(AlertNotification.objects.filter(alert=OuterRef("pk"))))
