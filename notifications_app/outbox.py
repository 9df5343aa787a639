"""The state machine of a notification; every change of `state` after birth is here.

PENDING | FAILED | UNKNOWN (due at `due_at`) -> SENDING (leased) -> one of these again, or SENT | DEAD | SUPPRESSED |
WITHDRAWN. A worker writes an outcome only while the row is SENDING under its token: one that lost its lease changes
nothing.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from notifications_app import conf, lanes, queues
from notifications_app.lanes import Group, Lane
from notifications_app.models import AlertNotification
from notifications_app.rate_limits import RateLimit
from notifications_app.states import NotificationState, Reason
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
class Claim:
    """Rows of one lane that are leased to `token`, in the order in which they are to be sent."""

    lane: Lane
    priority: int
    rows: Sequence[AlertNotification]
    token: str
    is_probe: bool = False
    """The breaker's question whether the gateway is well again."""
    is_watched: bool = False
    """Others may have said something about the lane."""
    is_suspect: bool = False
    """A claim of this row was lost: it is alone in this one."""
    is_alone: bool = False
    """It was alone in the lost one, too: nothing else is to be held beside it."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims, and by which rules of a channel."""

    worker: int | None
    grouped: bool = False
    limit: RateLimit | None = None


def due(now: datetime) -> QuerySet[AlertNotification]:
    """What may be claimed. The literal states are those of the partial indexes."""
    return AlertNotification.objects.filter(
        state__in=("PENDING", "FAILED", "UNKNOWN"),
        held_by__isnull=True,
        carried_by__isnull=True,
        due_at__lte=now,
    )


def claim(
    groups: Sequence[Group], most: int, by: Claimant, *, is_watched: bool = False
) -> Claim | None:
    """Lease at most `most` due rows of one lane, of its most urgent priority alone; None when there are none.

    Flows share what is claimed. With `by.grouped` the rows of one occurrence alone, which share a post. A limit, and
    with `is_watched` the lane's pauses and breaker, are asked and kept under a lock.
    """
    now = db_now()
    urgent = min((group.priority for group in groups if group.due_at <= now), default=None)
    chosen = [group for group in groups if group.priority == urgent and group.due_at <= now]
    if not chosen:
        return None
    lane, token = chosen[0].lane, uuid.uuid4().hex
    with brief():
        state = lanes.lock(lane) if is_watched or by.limit else None
        calls = lanes.turns(state, by.limit, most, now) if state else most
        if by.grouped:
            found = list(_post(chosen, most, now)) if calls else []
        else:
            found = list(_shared_out(chosen, calls, now))
        if not found:
            return None
        if state:
            lanes.spend(state, by.limit, 1 if by.grouped else len(found), now)
        _lease(dict(found), token, by.worker, now)
    probe = bool(state and state.openings)
    return Claim(
        lane=lane,
        priority=chosen[0].priority,
        rows=_load(dict(found)),
        token=token,
        is_probe=probe,
        is_watched=is_watched,
    )


Found = tuple[int, str]
"""Id and state before the claim."""


def _shared_out(groups: Sequence[Group], most: int, now: datetime) -> Iterator[Found]:
    """At most `most` rows, the flows having equal shares as far as they can use them."""
    for number, group in enumerate(groups):
        share = -(-most // (len(groups) - number))
        found = list(locked(_of(group, now)).values_list("pk", "state")[:share])
        most -= len(found)
        yield from found


def _post(groups: Sequence[Group], most: int, now: datetime) -> Iterator[Found]:
    """The due rows of the occurrence that has waited longest."""
    for group in sorted(groups, key=lambda group: group.due_at):
        if first := locked(_of(group, now)).first():
            same = _of(group, now).filter(occurrence=first.occurrence_id, kind=first.kind)
            yield from locked(same).values_list("pk", "state")[:most]
            return


def _of(group: Group, now: datetime) -> QuerySet[AlertNotification]:
    return (
        due(now)
        .filter(
            lost_claims=0,
            channel=group.lane.channel,
            lane=group.lane.name,
            priority=group.priority,
            flow=group.flow,
        )
        .order_by("due_at", "id")
    )


def suspect_lanes(now: datetime) -> tuple[set[Lane], set[Lane]]:
    """Where rows wait that may be what killed their worker: those that were lost once, and those lost more often."""
    once: set[Lane] = set()
    often: set[Lane] = set()
    rows = suspects(now).values_list("channel", "lane", "lost_claims")[:SUSPECTS_MOST]
    for channel, lane, lost_claims in rows:
        (often if lost_claims > 1 else once).add(Lane(channel, lane))
    return once, often


def suspects(now: datetime) -> QuerySet[AlertNotification]:
    """Rows whose claim ended without an outcome: they may be what killed their worker."""
    return due(now).filter(lost_claims__gt=0).order_by("due_at", "id")


def _suspects(now: datetime, alone: bool) -> QuerySet[AlertNotification]:
    return suspects(now).filter(**{"lost_claims__gt" if alone else "lost_claims": 1})


def claim_suspect(claimants: Mapping[Lane, Claimant], *, alone: bool) -> Claim | None:
    """Lease one such row of `claimants`' lanes, the most urgent first.

    With `alone` the caller may hold nothing else: what it held would be lost with it, as if it were to blame.
    """
    now = db_now()
    rows = _suspects(now, alone)
    waiting = rows.order_by("priority", "due_at", "id")[:SUSPECTS_MOST]
    chosen = [row.pk for row in waiting if Lane(row.channel, row.lane) in claimants]
    with brief():
        row = locked(rows.filter(pk__in=chosen)).first() if chosen else None
        if row is None:
            return None
        lane, token = Lane(row.channel, row.lane), uuid.uuid4().hex
        by, state = claimants[lane], lanes.lock(lane)
        if not lanes.turns(state, by.limit, 1, now):
            return None
        lanes.spend(state, by.limit, 1, now)
        _lease({row.pk: row.state}, token, by.worker, now)
    return Claim(
        lane=lane,
        priority=row.priority,
        rows=_load({row.pk: row.state}),
        token=token,
        is_probe=bool(state.openings),
        is_watched=True,
        is_suspect=True,
        is_alone=alone,
    )


SUSPECTS_MOST = 100


def _lease(found: dict[int, str], token: str, worker: int | None, now: datetime) -> None:
    AlertNotification.objects.filter(pk__among=list(found)).update(
        state=NotificationState.SENDING,
        lease_token=token,
        lease_until=now + timedelta(seconds=conf.get().LEASE_S),
        worker=worker,
    )


def _load(found: dict[int, str]) -> list[AlertNotification]:
    """The rows in the order of the claim, each with the state that it had before."""
    rows = bulk.by_pk(AlertNotification, found)
    for pk, state in found.items():
        rows[pk].state = state
    return [rows[pk] for pk in found]


def renew(tokens: Collection[str]) -> None:
    """Lengthen the leases of what is still held under `tokens`."""
    held = AlertNotification.objects.filter(state=NotificationState.SENDING)
    until = db_now() + timedelta(seconds=conf.get().LEASE_S)
    held.filter(lease_token__in=list(tokens)).update(lease_until=until)


def is_held(tokens: Mapping[int, str]) -> bool:
    """Whether any of these rows (id to token) is still leased to its token."""
    held = AlertNotification.objects.filter(pk__among=list(tokens), state=NotificationState.SENDING)
    return any(tokens[pk] == token for pk, token in held.values_list("pk", "lease_token"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A claimed row, the token of its lease, and what becomes of it and of rows that it carries.

    Carried rows that are not named stay with it: they are tried again as it is.
    """

    row: AlertNotification
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


def _values(row: AlertNotification, token: str, verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "id": row.pk,
        "lease_token": token,
        "state": verdict.state,
        "reason": verdict.reason,
        "error_message": verdict.error or row.error_message,
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
    """The firing's end decides about its resolve: it follows, or it is withdrawn."""
    by_firing = dict(ends)
    held = AlertNotification.objects.filter(held_by__isnull=False, held_by__among=list(by_firing))
    fates: dict[Verdict, list[int]] = defaultdict(list)
    for pk, firing in held.order_by().values_list("pk", "held_by_id"):
        fates[by_firing[firing or 0]].append(pk)
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


def give_back(rows: Iterable[AlertNotification], token: str) -> int:
    """Return claimed rows that were certainly not handed to a gateway."""
    by_state: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_state[row.state].append(row.pk)
    return sum(_held_under(token, ids).update(state=state) for state, ids in by_state.items())


def _held_under(token: str, ids: Sequence[int]) -> QuerySet[AlertNotification]:
    return AlertNotification.objects.filter(
        pk__in=ids, state=NotificationState.SENDING, lease_token=token
    )


def lose(rows: Iterable[AlertNotification], token: str, error: str) -> None:
    """Count a claim that ended without an outcome although its worker lives."""
    with transaction.atomic():
        ids = [row.pk for row in rows]
        held = _held_under(token, ids).order_by("pk").select_for_update()
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


SWEPT_AT_ONCE = 1000


def _return_lost(rows: Sequence[AlertNotification], error: str, now: datetime) -> None:
    """In the caller's transaction."""
    dead = Verdict(state=NotificationState.DEAD, reason=Reason.QUARANTINED)
    for row in rows:
        row.lost_claims += 1
        if row.lost_claims >= LOSSES_UNTIL_QUARANTINE:
            row.state, row.reason, row.finished_at = dead.state, dead.reason, now
            row.error_message = f"{row.lost_claims} claims of it were lost, the last: {error}"
        else:
            row.state, row.due_at = NotificationState.PENDING, now
        extra = {"notification": row.pk, "lost_claims": row.lost_claims, "why": error}
        logger.warning("claim_lost", extra=extra)
    columns = ("state", "reason", "error_message", "due_at", "finished_at", "lost_claims")
    values = [{"id": row.pk, **{name: getattr(row, name) for name in columns}} for row in rows]
    bulk.update_each(AlertNotification, values, match=("id",), values=columns)
    ended = [row for row in rows if row.state == NotificationState.DEAD]
    _settle_carried([(one, dead) for row in ended for one in row.carries.all()], now)
    _release_all([(row.pk, dead) for row in ended], now)
    ids = [row.pk for row in rows if row.state == NotificationState.PENDING]
    transaction.on_commit(lambda: queues.ring(ids), robust=True)


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
