"""From an occurrence to the notifications of people: one transaction an alert, harmless when done twice (P3)."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import OccurrenceKind
from notifications_app import (
    channel_alarms,
    claims,
    conf,
    preferences,
    queues,
    recipients,
    summaries,
)
from notifications_app.channels import registry
from notifications_app.channels.base import Channel, Person, Topic
from notifications_app.errors import MissingAddressError
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.models.notifications import PRIORITY
from notifications_app.states import FINAL_STATES, NotificationKind, NotificationState, Reason
from scheduler_app import bulk
from scheduler_app.clock import db_now
from scheduler_app.transactions import brief

logger = logging.getLogger("NotificationDispatcher")

PUT_OFF_S = 60.0


def receive(*, occurrence_ids: Sequence[int]) -> None:
    """Tell people at once where the severity asks for it; the rest waits for `send_alert_notifications`."""
    least = preferences.RANK[conf.get().IMMEDIATE_FROM]
    occurrences = AlertOccurrence.objects.filter(pk__among=occurrence_ids).select_related("alert")
    for occurrence in occurrences.order_by("pk"):
        if preferences.RANK[occurrence.alert.severity] >= least:
            _fan_out_safely(occurrence.pk)


def due(*, at_once_only: bool, limit: int) -> list[int]:
    """Occurrences whose people are not told yet, the oldest first."""
    rows = (
        AlertOccurrence.objects.filter(fan_out_due=True)
        .exclude(pk__in=list(_put_off))
        .order_by("pk")
    )
    if at_once_only:
        least = preferences.RANK[conf.get().IMMEDIATE_FROM]
        severe = [name for name, rank in preferences.RANK.items() if rank >= least]
        rows = rows.filter(alert__severity__in=severe)
    return list(rows.values_list("pk", flat=True)[:limit])


def fan_out_due(*, at_once_only: bool, limit: int) -> tuple[int, int]:
    """Fan out at most `limit` occurrences that are due; returns (occurrences, new rows).

    One that fails holds up no other: it is logged, keeps its mark, and is tried again a minute later.
    """
    now_s = time.monotonic()
    for failed in [pk for pk, until_s in _put_off.items() if until_s < now_s]:
        del _put_off[failed]
    ids = due(at_once_only=at_once_only, limit=limit)
    return len(ids), sum(_fan_out_safely(pk) for pk in ids)


_put_off: dict[int, float] = {}


def _fan_out_safely(occurrence_id: int) -> int:
    try:
        return fan_out(occurrence_id)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("fan_out_failed", extra={"occurrence": occurrence_id})
        _put_off[occurrence_id] = time.monotonic() + PUT_OFF_S
        return 0


def fan_out(occurrence_id: int) -> int:
    """Write one row for each person and channel; returns how many are new."""
    with brief():
        occurrence = AlertOccurrence.objects.select_for_update().get(pk=occurrence_id)
        if not occurrence.fan_out_due:
            return 0
        now = db_now()
        alert = AlertRecord.objects.get(pk=occurrence.alert_id)
        if occurrence.kind == OccurrenceKind.RESOLVE:
            rows = _resolve_rows(alert, occurrence, now)
        else:
            rows = _fire_rows(alert, occurrence, now)
        have = set(
            AlertNotification.objects.filter(occurrence=occurrence).values_list(
                "kind", "recipient_key", "channel"
            )
        )
        fresh = [r for r in rows if (r.kind, r.recipient_key, r.channel) not in have]
        summaries.carry(summaries.in_storm(fresh, now), now, wait_s=conf.get().SUMMARY_S)
        bulk.insert(AlertNotification, [_columns(row) for row in fresh])
        AlertOccurrence.objects.filter(pk=occurrence.pk).update(fan_out_due=False)
        waiting = list(claims.due(now).filter(occurrence=occurrence).values_list("pk", flat=True))
        transaction.on_commit(lambda: queues.ring(waiting), robust=True)
    logger.info("fan_out", extra={"alert": alert.pk, "kind": occurrence.kind, "new": len(fresh)})
    return len(fresh)


def _columns(row: AlertNotification) -> dict[str, Any]:
    values = {column: getattr(row, attribute) for attribute, column in COLUMNS.items()}
    return {**values, "uuid": row.uuid.hex}


COLUMNS = {
    field.attname: str(field.column)
    for field in AlertNotification._meta.local_concrete_fields
    if not field.primary_key
}


def _fire_rows(
    alert: AlertRecord, occurrence: AlertOccurrence, now: datetime
) -> list[AlertNotification]:
    people = recipients.resolve(alert.owner)
    settings = preferences.of_all(people)
    if not people:
        logger.error("nobody_to_tell", extra={"alert": alert.pk, "owner": alert.owner})
    about = channel_alarms.channel_of(alert)
    names = [name for name in registry.names() if name != about]
    return [
        row
        for wishes in settings.values()
        for row in rows_for(
            alert,
            occurrence,
            NotificationKind.FIRE,
            wishes,
            preferences.channels_for(wishes, alert.severity, names),
            now,
        )
    ]


def rows_for(
    alert: AlertRecord,
    occurrence: AlertOccurrence,
    kind: NotificationKind,
    wishes: NotificationSettings,
    channels: Sequence[str],
    now: datetime,
) -> list[AlertNotification]:
    """A new row for each of `channels`, that is due now, or at the end of the person's quiet hours."""
    quiet_until = preferences.quiet_until(wishes, alert.severity, now)
    person, topic = preferences.person_of(wishes), _topic(alert)
    return [
        AlertNotification(
            alert_id=alert.pk,
            occurrence_id=occurrence.pk,
            kind=kind,
            recipient_id=wishes.user.pk,
            recipient_key=person.key,
            recipient_name=person.name,
            channel=channel,
            lane=_lane(registry.shared(channel), person, topic),
            severity=alert.severity,
            priority=PRIORITY[alert.severity],
            flow=_flow(alert),
            reason=Reason.QUIET_HOURS if quiet_until else "",
            created_at=now,
            due_at=quiet_until or now,
            expires_at=now + timedelta(seconds=conf.get().EXPIRY_S[alert.severity]),
        )
        for channel in channels
    ]


FLOWS = 16


def _flow(alert: AlertRecord) -> int:
    """A number for the sender: what is alike in source, category and owner queues behind itself."""
    return zlib.crc32(f"{alert.source}:{alert.category}:{alert.owner}".encode()) % FLOWS


def _topic(alert: AlertRecord) -> Topic:
    return Topic(
        thread=str(alert.pk),
        severity=alert.severity,
        category=alert.category,
        owner=alert.owner,
        labels=alert.labels,
    )


def _lane(channel: Channel, person: Person, topic: Topic) -> str:
    try:
        return channel.lane(channel.address(person), topic)
    except MissingAddressError:  # told when it is sent
        return ""


def _resolve_rows(
    alert: AlertRecord, occurrence: AlertOccurrence, now: datetime
) -> list[AlertNotification]:
    """The same people by the same channels, each behind the last firing that it was told."""
    told: dict[tuple[str, str], AlertNotification] = {}
    firings = AlertNotification.objects.filter(alert=alert, kind=NotificationKind.FIRE)
    for firing in firings.select_for_update().order_by("pk"):
        key = (firing.recipient_key, firing.channel)
        before = told.get(key)
        if before is None or not _is_better(before, firing):
            told[key] = firing
    return [_resolve_row(occurrence, firing, now) for firing in told.values()]


def _is_better(before: AlertNotification, after: AlertNotification) -> bool:
    """Whether the earlier firing decides: one that arrived counts more than a later one that did not."""
    return before.state == NotificationState.SENT and after.state in FINAL_STATES


def _resolve_row(
    occurrence: AlertOccurrence, firing: AlertNotification, now: datetime
) -> AlertNotification:
    row = AlertNotification.like(
        firing,
        occurrence_id=occurrence.pk,
        kind=NotificationKind.RESOLVE,
        created_at=now,
        due_at=now,
        expires_at=now + timedelta(seconds=conf.get().EXPIRY_S[firing.severity]),
    )
    if firing.state not in FINAL_STATES:
        row.held_by_id = firing.pk
    elif firing.state != NotificationState.SENT:
        row.state, row.reason = NotificationState.WITHDRAWN, Reason.FIRING_UNTOLD
        row.finished_at = now
    return row
