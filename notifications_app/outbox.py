"""The state machine of a notification; every change of `state` after birth and claim (`claims.py`) is here.

PENDING | FAILED | UNKNOWN (due at `due_at`) -> SENDING (leased) -> one of these again, or SENT | DEAD | SUPPRESSED |
WITHDRAWN. A worker writes an outcome only while the row is SENDING under its token: one that lost its lease changes
nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from notifications_app import conf, lanes, queues
from notifications_app.channels import registry
from notifications_app.claims import ClaimedRow, due, held_under, suspects
from notifications_app.models import AlertNotification, LaneState
from notifications_app.models.notifications import WAITING
from notifications_app.states import DUE_STATES, NotificationState, Reason
from scheduler_app import bulk
from scheduler_app.clock import db_now
from scheduler_app.transactions import brief, locked

logger = logging.getLogger("NotificationDispatcher")

LOSSES_UNTIL_QUARANTINE = 4
"""One among others, then three alone."""


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
    is_late: bool = False
    """It goes into a summary instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A claimed row, the token of its lease, and what becomes of it and of rows that it carries.

    Carried rows that are not named stay with it: they are tried again as it is.
    """

    row: ClaimedRow
    token: str
    verdict: Verdict
    carried: Sequence[tuple[AlertNotification, Verdict]] = ()


def settle(settlements: Sequence[Settlement], now: datetime) -> set[int]:
    """Write what became of claimed rows, and release or withdraw what they held. In the caller's transaction.

    Returns the ids of the rows that were still leased to their tokens.
    """
    values = [_values(one.row, one.token, one.verdict, now) for one in settlements]
    kept = {
        pk
        for (pk,) in bulk.update_each(
            AlertNotification,
            values,
            match=("id", "lease_token"),
            values=WRITTEN,
            only={"state": NotificationState.SENDING},
        )
    }
    mine = [one for one in settlements if one.row.pk in kept]
    carried = [end for one in mine for end in one.carried]
    _settle_carried(carried, now)
    ends = [(one.row, one.verdict) for one in mine] + carried
    _release_all([(row.pk, verdict) for row, verdict in ends if verdict.due_at is None], now)
    return kept


WRITTEN = (
    "state", "reason", "error_message", "due_at", "finished_at", "tries", "address", "lane",
    "carried_by_id",
)  # fmt: skip


def _values(row: ClaimedRow, token: str, verdict: Verdict, now: datetime) -> dict[str, Any]:
    is_sent = verdict.state == NotificationState.SENT
    return {
        "id": row.pk,
        "lease_token": token,
        "state": verdict.state,
        "reason": verdict.reason,
        "error_message": "" if is_sent else verdict.error or row.error_message,
        "due_at": verdict.due_at or row.due_at,
        "finished_at": now if verdict.due_at is None else None,
        "tries": row.tries + int(verdict.burns_try),
        "address": row.address,
        "lane": row.lane,
        "carried_by_id": row.carried_by_id,
    }


def _settle_carried(carried: Sequence[tuple[AlertNotification, Verdict]], now: datetime) -> None:
    """What ends stays part of its summary; what is put off becomes a message of its own again."""
    columns = (
        "state",
        "reason",
        "error_message",
        "due_at",
        "finished_at",
        "address",
        "carried_by_id",
    )
    bulk.update_each(
        AlertNotification,
        [
            {
                "id": row.pk,
                "state": verdict.state,
                "reason": verdict.reason or Reason.IN_SUMMARY,
                "error_message": verdict.error,
                "due_at": verdict.due_at or row.due_at,
                "finished_at": now if verdict.due_at is None else None,
                "address": row.address,
                "carried_by_id": row.carried_by_id if verdict.due_at is None else None,
            }
            for row, verdict in carried
        ],
        match=("id",),
        values=columns,
    )


def _release_all(ends: Sequence[tuple[int, Verdict]], now: datetime) -> None:
    """The firing's end decides about its resolve: it follows, or it is withdrawn.

    Asked after the firing was written, in a statement of its own: whoever wrote the resolve had locked the firing.
    """
    by_firing = dict(ends)
    fates: dict[Verdict, list[int]] = defaultdict(list)
    for pk, firing in bulk.pairs(AlertNotification, "held_by_id", list(by_firing)):
        fates[by_firing[firing]].append(pk)
    for verdict, ids in fates.items():
        _release(ids, verdict, now)


def _release(ids: Sequence[int], verdict: Verdict, now: datetime) -> None:
    rows = AlertNotification.objects.filter(pk__in=ids)
    told = verdict.state == NotificationState.SENT
    if told and not verdict.told_resolve:
        rows.update(held_by=None, due_at=now)
        transaction.on_commit(lambda: queues.ring(ids), robust=True)
        return
    rows.update(
        held_by=None,
        state=NotificationState.WITHDRAWN,
        reason=Reason.TOLD_WITH_FIRING if told else Reason.FIRING_UNTOLD,
        finished_at=now,
    )


def judge_again(*, in_s: float = 0.0, **whose: Any) -> int:
    """Make what waits for the end of quiet hours due (in `in_s`), of the rows that `whose` filters; returns how many.

    Rows in back-off, behind another row or in a summary keep their time.
    """
    with transaction.atomic():
        now = db_now()
        rows = AlertNotification.objects.filter(
            state=NotificationState.PENDING,
            reason=Reason.QUIET_HOURS,
            held_by__isnull=True,
            carried_by__isnull=True,
            due_at__gt=now,
            **whose,
        )
        ids = list(rows.values_list("pk", flat=True)[: conf.get().QUEUE_CAP])
        if not ids:
            return 0
        count = rows.update(due_at=now + timedelta(seconds=in_s))
        transaction.on_commit(lambda: queues.ring(ids), robust=True)
    return count


def lose(rows: Iterable[ClaimedRow], token: str, error: str) -> None:
    """Count a claim that ended without an outcome although its worker lives."""
    with transaction.atomic():
        ids = [row.pk for row in rows]
        held = held_under(token, ids).order_by("pk").select_for_update()
        _return_lost(list(held), error, db_now())


def sweep() -> int:
    """Return what dead workers held; a row that was lost too often is quarantined. How many were found."""
    now = db_now()
    with brief():
        over = AlertNotification.objects.filter(
            state=NotificationState.SENDING, lease_until__lt=now
        ).order_by("pk")
        rows = list(locked(over)[:SWEPT_AT_ONCE])
        _return_lost(rows, "Its worker died while it held this message.", now)
    return len(rows)


def hasten(*, now: datetime) -> None:
    """The clock was set back to `now`: judge all that waits for later again, and let leases and pauses begin now.

    A message in quiet hours is put off again, one that failed is tried earlier.
    """
    lease_until = now + timedelta(seconds=conf.get().LEASE_S)
    with brief():
        waiting = AlertNotification.objects.filter(WAITING, due_at__gt=now).update(due_at=now)
        held = AlertNotification.objects.filter(state=NotificationState.SENDING)
        held.filter(lease_until__gt=lease_until).update(lease_until=lease_until)
        lanes.end_waits(now)
    logger.warning("clock_set_back", extra={"messages": waiting})


SWEPT_AT_ONCE = 1000
ORPHAN_AFTER_S = 600.0
"""While a new version is rolled out, processes differ in the channels that they know."""


def end_orphans() -> list[AlertNotification]:
    """Give up what waits for a channel that there is not any more. In the caller's transaction.

    Returns the rows, whose people are to be told elsewhere.
    """
    unknown = {group.lane.channel for group in lanes.groups()} - set(registry.names())
    if not unknown:
        return []
    now = db_now()
    waiting = due(now - timedelta(seconds=ORPHAN_AFTER_S)).filter(channel__in=unknown)
    rows = list(locked(waiting.order_by("pk"))[:SWEPT_AT_ONCE])
    for row in rows:
        row.state, row.reason, row.finished_at = NotificationState.DEAD, Reason.CHANNEL_OFF, now
        row.error_message = f"There is no channel {row.channel} any more."
    _write_ends(rows, now)
    return rows


def await_mending(lane: LaneState, now: datetime) -> list[AlertNotification]:
    """Mark what is due in a lane whose gateway refuses the channel. In the caller's transaction.

    Returns the rows that were not marked yet, with what they carry, whose people are to be told elsewhere.
    """
    waiting = due(now).filter(channel=lane.channel, lane=lane.lane)
    fresh = waiting.exclude(reason=Reason.CHANNEL_REFUSED).order_by("pk")
    rows = list(locked(fresh)[:SWEPT_AT_ONCE])
    ids = [row.pk for row in rows]
    AlertNotification.objects.filter(pk__among=ids).update(
        reason=Reason.CHANNEL_REFUSED, error_message=lane.pause_reason
    )
    carried = AlertNotification.objects.filter(carried_by__among=ids, state__in=DUE_STATES)
    return [*rows, *carried.order_by("pk")]


def _return_lost(rows: Sequence[AlertNotification], error: str, now: datetime) -> None:
    """In the caller's transaction."""
    for row in rows:
        row.lost_claims += 1
        if row.lost_claims >= LOSSES_UNTIL_QUARANTINE:
            row.state, row.reason, row.finished_at = NotificationState.DEAD, Reason.QUARANTINED, now
            row.error_message = f"{row.lost_claims} claims of it were lost, the last: {error}"
        else:
            row.state, row.due_at = NotificationState.PENDING, now
        extra = {"notification": row.pk, "lost_claims": row.lost_claims, "why": error}
        logger.warning("claim_lost", extra=extra)
    _write_ends(rows, now)
    ids = [row.pk for row in rows if row.state == NotificationState.PENDING]
    transaction.on_commit(lambda: queues.ring(ids), robust=True)


def _write_ends(rows: Sequence[AlertNotification], now: datetime) -> None:
    """Store rows that nobody holds as they are now; what is dead takes along what it carried and held."""
    columns = ("state", "reason", "error_message", "due_at", "finished_at", "lost_claims")
    values = [{"id": row.pk, **{name: getattr(row, name) for name in columns}} for row in rows]
    bulk.update_each(AlertNotification, values, match=("id",), values=columns)
    ends = {
        row: Verdict(state=NotificationState.DEAD, reason=Reason(row.reason))
        for row in rows
        if row.state == NotificationState.DEAD
    }
    _settle_carried([(one, end) for row, end in ends.items() for one in row.carries.all()], now)
    _release_all([(row.pk, end) for row, end in ends.items()], now)


def requeue(ids: Sequence[int], *, by: str) -> int:
    """Give dead messages another life with all their tries; returns how many.

    What a summary carried goes with it, as the summary does with what it carried.
    """
    now = db_now()
    with transaction.atomic():
        dead = AlertNotification.objects.filter(state=NotificationState.DEAD)
        found = list(
            dead.filter(Q(pk__among=list(ids)) | Q(carried_by__among=list(ids)))
            .order_by("pk")
            .select_for_update()
            .values_list("pk", "severity")
        )
        for severity in {severity for _, severity in found}:
            expires_at = now + timedelta(seconds=conf.get().EXPIRY_S[severity])
            pks = [pk for pk, its in found if its == severity]
            AlertNotification.objects.filter(pk__among=pks).update(
                state=NotificationState.PENDING,
                reason=Reason.NONE,
                tries=0,
                lost_claims=0,
                due_at=now,
                finished_at=None,
                expires_at=expires_at,
            )
        pks = [pk for pk, _ in found]
        again = AlertNotification.objects.filter(pk__among=pks, carried_by__isnull=False)
        again.exclude(carried_by__among=pks).update(carried_by=None)
        transaction.on_commit(lambda: queues.ring(pks), robust=True)
    logger.info("requeued", extra={"notifications": len(pks), "by": by})
    return len(pks)


def backlog(now: datetime, channels: Sequence[str]) -> dict[str, Any]:
    """How many rows are due now, and since when the oldest is."""
    counts = {channel: due(now).filter(channel=channel).count() for channel in channels}
    firsts = [group.due_at for group in lanes.groups() if group.due_at <= now]
    firsts += suspects(now).values_list("due_at", flat=True)[:1]
    age_s = (now - min(firsts)).total_seconds() if firsts else 0.0
    return {"by_channel": counts, "total": sum(counts.values()), "oldest_due_s": age_s}
