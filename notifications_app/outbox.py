"""The state machine of a notification; every change of `state` after birth is here.

PENDING | FAILED | UNKNOWN (due at `due_at`) -> SENDING (leased) -> one of these again, or SENT | DEAD | SUPPRESSED |
WITHDRAWN. A worker writes an outcome only while the row is SENDING under its token: one that lost its lease changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from notifications_app import conf, queues
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationState, Reason
from scheduler_app.clock import db_now
from scheduler_app.transactions import brief, locked

logger = logging.getLogger("NotificationDispatcher")

LOSSES_UNTIL_QUARANTINE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a claimed row."""

    state: NotificationState
    reason: Reason = Reason.NONE
    error: str = ""
    due_at: datetime | None = None
    burns_try: bool = False
    told_resolve: bool = False
    """The message said that it is over, too: the resolve behind it has nothing to add."""


def due(channel: str, now: datetime) -> QuerySet[AlertNotification]:
    """What may be claimed, in order. The literal states are those of the partial index."""
    return AlertNotification.objects.filter(
        channel=channel,
        state__in=("PENDING", "FAILED", "UNKNOWN"),
        held_by__isnull=True,
        due_at__lte=now,
    ).order_by("priority", "due_at", "id")


def claim(
    channel: str, most: int, *, worker: int | None, token: str, same_occurrence: bool = False
) -> list[AlertNotification]:
    """Lease at most `most` due rows of `channel` to `token`; with `same_occurrence` all of one alert's post."""
    now = db_now()
    query = due(channel, now)
    if not query.exists():
        return []
    with brief():
        query = locked(query)
        first = query.first() if same_occurrence else None
        if same_occurrence:
            query = query.filter(occurrence=first.occurrence_id) if first else query.none()
        ids = [row.pk for row in query[:most]]
        AlertNotification.objects.filter(pk__in=ids).update(
            state=NotificationState.SENDING,
            lease_token=token,
            lease_until=now + timedelta(seconds=conf.get().LEASE_S),
            worker=worker,
        )
    rows = AlertNotification.objects.filter(pk__in=ids)
    return list(rows.select_related("alert", "occurrence", "recipient").order_by("pk"))


def is_held(token: str) -> bool:
    """Whether anything is still leased to `token`."""
    held = AlertNotification.objects.filter(state=NotificationState.SENDING, lease_token=token)
    return held.exists()


def settle(row: AlertNotification, token: str, verdict: Verdict, now: datetime) -> bool:
    """Write what became of a claimed row and release or withdraw what it held. In the caller's transaction.

    False when the row is not leased to `token` any more.
    """
    final = verdict.due_at is None
    mine = AlertNotification.objects.filter(
        pk=row.pk, state=NotificationState.SENDING, lease_token=token
    )
    changed = mine.update(
        state=verdict.state,
        reason=verdict.reason,
        error_message=verdict.error or row.error_message,
        due_at=verdict.due_at or row.due_at,
        finished_at=now if final else None,
        tries=F("tries") + int(verdict.burns_try),
        lease_token="",
        lease_until=None,
        address=row.address,
    )
    if changed and final:
        _release(row, verdict, now)
    return bool(changed)


def _release(firing: AlertNotification, verdict: Verdict, now: datetime) -> None:
    """The firing's end decides about its resolve: it follows, or it is withdrawn."""
    held = AlertNotification.objects.filter(held_by=firing)
    if verdict.state == NotificationState.SENT and not verdict.told_resolve:
        ids = list(held.values_list("pk", flat=True))
        held.update(held_by=None, due_at=now)
        transaction.on_commit(lambda: queues.ring(ids), robust=True)
        return
    told = verdict.state == NotificationState.SENT
    held.update(
        held_by=None,
        state=NotificationState.WITHDRAWN,
        reason=Reason.TOLD_WITH_FIRING if told else Reason.FIRING_UNTOLD,
        finished_at=now,
    )


def give_back(ids: Iterable[int], token: str) -> int:
    """Return claimed rows that were certainly not handed to a gateway."""
    mine = AlertNotification.objects.filter(
        pk__in=list(ids), state=NotificationState.SENDING, lease_token=token
    )
    return mine.update(state=NotificationState.PENDING, lease_token="", lease_until=None)


def sweep() -> int:
    """Return what dead workers held; a row that was lost too often is quarantined. How many were found."""
    now = db_now()
    with transaction.atomic():
        over = AlertNotification.objects.filter(
            state=NotificationState.SENDING, lease_until__lt=now
        ).order_by("pk")
        rows = list(over.select_for_update())
        for row in rows:
            _return_lost(row, now)
        ids = [row.pk for row in rows if row.state == NotificationState.PENDING]
        transaction.on_commit(lambda: queues.ring(ids), robust=True)
    return len(rows)


def _return_lost(row: AlertNotification, now: datetime) -> None:
    row.lost_claims += 1
    row.lease_token, row.lease_until = "", None
    row.state, row.due_at = NotificationState.PENDING, now
    if row.lost_claims >= LOSSES_UNTIL_QUARANTINE:
        row.state, row.reason, row.finished_at = NotificationState.DEAD, Reason.QUARANTINED, now
        row.error_message = f"{row.lost_claims} workers died while they held this message."
        _release(row, Verdict(state=NotificationState.DEAD), now)
    logger.warning("lease_expired", extra={"notification": row.pk, "lost_claims": row.lost_claims})
    row.save(
        update_fields=[
            "lost_claims", "lease_token", "lease_until", "state", "due_at", "reason",
            "finished_at", "error_message",
        ]
    )  # fmt: skip


def requeue(ids: Sequence[int], *, by: str) -> int:
    """Give dead messages another life with all their tries; returns how many."""
    now = db_now()
    with transaction.atomic():
        dead = AlertNotification.objects.filter(pk__in=ids, state=NotificationState.DEAD)
        found = list(dead.select_for_update().values_list("pk", "severity"))
        for severity in {severity for _, severity in found}:
            AlertNotification.objects.filter(
                pk__in=[pk for pk, its in found if its == severity]
            ).update(
                state=NotificationState.PENDING,
                reason=Reason.NONE,
                tries=0,
                lost_claims=0,
                due_at=now,
                finished_at=None,
                expires_at=now + timedelta(seconds=conf.get().EXPIRY_S[severity]),
            )
        pks = [pk for pk, _ in found]
        transaction.on_commit(lambda: queues.ring(pks), robust=True)
    logger.info("requeued", extra={"notifications": pks, "by": by})
    return len(pks)


def backlog(now: datetime, channels: Sequence[str]) -> dict[str, Any]:
    """How many rows are due now, and since when the oldest is."""
    counts = {channel: due(channel, now).order_by().count() for channel in channels}
    oldest = [due(channel, now).order_by("due_at").first() for channel in channels]
    since = min((row.due_at for row in oldest if row), default=None)
    age_s = (now - since).total_seconds() if since else 0.0
    return {"by_channel": counts, "total": sum(counts.values()), "oldest_due_s": age_s}
