"""Claims: what is due is leased to one worker, which alone may say what became of it."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from notifications_app import conf, lanes
from notifications_app.lanes import Group, Lane
from notifications_app.models import AlertNotification
from notifications_app.rate_limits import RateLimit
from notifications_app.states import NotificationState
from scheduler_app import bulk
from scheduler_app.clock import db_now, since_boot_s
from scheduler_app.transactions import brief, locked


@dataclass(slots=True, eq=False)
class ClaimedRow:
    """What of an AlertNotification its worker needs: by the thousand a model would cost more than all else.

    `state` is the one before the claim.
    """

    pk: int
    uuid: uuid.UUID
    alert_id: int
    occurrence_id: int
    kind: str
    recipient_id: Any
    recipient_key: str
    recipient_name: str
    channel: str
    lane: str
    severity: str
    priority: int
    flow: int
    state: str
    reason: str
    error_message: str
    carried_by_id: int | None
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    tries: int
    worker: int | None
    address: str


COLUMNS = tuple(ClaimedRow.__annotations__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Rows of one lane that are leased to `token`, in the order in which they are to be sent."""

    lane: Lane
    priority: int
    rows: Sequence[ClaimedRow]
    token: str
    claimed_at: datetime
    claimed_s: float
    """The same by the clock since boot."""
    is_probe: bool = False
    """The breaker's question whether the gateway is well again."""
    is_watched: bool = False
    """Others may have said something about the lane."""
    is_suspect: bool = False
    """A claim of this row was lost: it is alone in this one."""
    is_alone: bool = False
    """It was alone in the lost one, too: nothing else is to be held beside it."""

    def now(self) -> datetime:
        """The database's time, as far as this machine knows without asking again."""
        return self.claimed_at + timedelta(seconds=since_boot_s() - self.claimed_s)


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
    with brief() as now:
        claimed_s = since_boot_s()
        urgent = min((group.priority for group in groups if group.due_at <= now), default=None)
        chosen = [group for group in groups if group.priority == urgent and group.due_at <= now]
        if not chosen:
            return None
        lane, token = chosen[0].lane, uuid.uuid4().hex
        state = lanes.lock(lane) if is_watched or by.limit else None
        calls = lanes.turns(state, by.limit, most, now) if state else most
        if not calls:
            return None
        found = _post(chosen, most, now) if by.grouped else _shared_out(chosen, calls, now)
        if not found:
            return None
        if state:
            lanes.spend(state, by.limit, 1 if by.grouped else len(found), now)
        rows = _lease(found, token, by.worker, now)
    return Claim(
        lane=lane,
        priority=chosen[0].priority,
        rows=rows,
        token=token,
        claimed_at=now,
        claimed_s=claimed_s,
        is_probe=bool(state and state.openings),
        is_watched=is_watched,
    )


def _shared_out(groups: Sequence[Group], most: int, now: datetime) -> dict[int, str]:
    """Ids of at most `most` rows, with their states; the flows have equal shares as far as they can use them."""
    share = -(-most // len(groups))
    found = _first_of_each(groups, share, now)
    used = Counter(flow for _pk, _state, flow in found)
    eager = [group for group in groups if used[group.flow] == share]
    if len(found) < most and eager:
        found += _first_of_each(eager, most, now)
    states = {pk: state for pk, state, _flow in found}
    return dict(islice(states.items(), most))


def _first_of_each(groups: Sequence[Group], most: int, now: datetime) -> list[tuple[int, str, int]]:
    """Id, state and flow of the `most` rows of each group that have waited longest, locked."""
    lock = " FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update else ""
    one = f"""SELECT * FROM (
        SELECT id, state, flow FROM {AlertNotification._meta.db_table}
        WHERE {lanes.WAITING} AND channel = %s AND lane = %s AND priority = %s AND flow = %s AND due_at <= %s
        ORDER BY due_at, id LIMIT %s{lock}) AS one"""  # noqa: S608 - names of our own
    moment = bulk.text_of(now)
    parameters = [
        value
        for group in groups
        for value in (*group.lane, group.priority, group.flow, moment, most)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(groups)), parameters)
        return list(cursor.fetchall())


def _post(groups: Sequence[Group], most: int, now: datetime) -> dict[int, str]:
    """The due rows of the occurrence that has waited longest."""
    for group in sorted(groups, key=lambda group: group.due_at):
        if first := locked(_of(group, now)).first():
            same = _of(group, now).filter(occurrence=first.occurrence_id, kind=first.kind)
            return dict(locked(same).values_list("pk", "state")[:most])
    return {}


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
    now, claimed_s = db_now(), since_boot_s()
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
        leased = _lease({row.pk: row.state}, token, by.worker, now)
    return Claim(
        lane=lane,
        priority=row.priority,
        rows=leased,
        token=token,
        claimed_at=now,
        claimed_s=claimed_s,
        is_probe=bool(state.openings),
        is_watched=True,
        is_suspect=True,
        is_alone=alone,
    )


SUSPECTS_MOST = 100


def _lease(
    found: Mapping[int, str], token: str, worker: int | None, now: datetime
) -> list[ClaimedRow]:
    """Write the lease, and read the rows in the order of `found`."""
    mine = AlertNotification.objects.filter(pk__among=list(found)).order_by()
    mine.update(
        state=NotificationState.SENDING,
        lease_token=token,
        lease_until=now + timedelta(seconds=conf.get().LEASE_S),
        worker=worker,
    )
    rows = {values[0]: ClaimedRow(*values) for values in mine.values_list(*COLUMNS)}
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


def give_back(rows: Iterable[ClaimedRow], token: str) -> int:
    """Return claimed rows that were certainly not handed to a gateway."""
    by_state: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_state[row.state].append(row.pk)
    return sum(held_under(token, ids).update(state=state) for state, ids in by_state.items())


def held_under(token: str, ids: Sequence[int]) -> QuerySet[AlertNotification]:
    return AlertNotification.objects.filter(
        pk__in=ids, state=NotificationState.SENDING, lease_token=token
    )
