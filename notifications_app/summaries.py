"""Rows that carry others: one message in place of many.

A carrier (kind SUMMARY) is an ordinary row that is claimed, judged and sent; the rows that it carries are claimed by
nobody and share its end. A carrier takes rows in until it is claimed; then the next one begins.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from notifications_app import conf
from notifications_app.channels import registry
from notifications_app.claims import ClaimedRow
from notifications_app.models import AlertNotification
from notifications_app.rate_limits import RateLimit
from notifications_app.states import (
    DUE_STATES,
    NotificationKind,
    NotificationState,
    Reason,
)
from scheduler_app import bulk
from scheduler_app.states import Severity

Row = AlertNotification | ClaimedRow
Key = tuple[str, str]
"""Person and channel."""


def key_of(row: Row) -> Key:
    return row.recipient_key, row.channel


def in_storm(rows: Sequence[AlertNotification], now: datetime) -> list[AlertNotification]:
    """Those of the new `rows` that come on top of what their people may get singly (STORM). Critical ones never do."""
    limit = RateLimit.parse(conf.get().STORM)
    if limit is None:
        return []
    told = _lately({key_of(row) for row in rows if _may_be_carried(row)}, limit, now)
    stormy = []
    for row in rows:
        told[key_of(row)] += 1
        if told[key_of(row)] > limit.count and _may_be_carried(row):
            stormy.append(row)
    return stormy


def _may_be_carried(row: AlertNotification) -> bool:
    is_open = row.state == NotificationState.PENDING and row.held_by_id is None
    is_mild = row.severity != Severity.CRITICAL
    return is_mild and is_open and registry.kind_of(row.channel).summarises


def _lately(keys: Collection[Key], limit: RateLimit, now: datetime) -> Counter[Key]:
    """What each of `keys` got within the window of `limit`, counted up to its count."""
    since = now - timedelta(seconds=limit.window_s)
    found = bulk.count_later(
        AlertNotification,
        [{"recipient_key": p, "channel": c, "created_at": since} for p, c in sorted(keys)],
        match=("recipient_key", "channel"),
        than="created_at",
        most=limit.count,
        only="had.channel <> 'SYSTEM'",
    )
    return Counter({(person, channel): count for person, channel, count in found})


def carry(rows: Sequence[Row], now: datetime, *, wait_s: float) -> None:
    """Give each of `rows` a carrier, a new one in `wait_s` seconds where none takes rows in.

    In the caller's transaction. Sets `carried_by_id` and `reason`; saving the rows is the caller's. A row for which
    there can be no carrier any more goes out singly.
    """
    if not rows:
        return
    by_key: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[key_of(row)].append(row)
    open_carriers = {key_of(row): row for row in _open(sorted({key[0] for key in by_key}))}
    made = [
        _new(by_key[key][0], now, wait_s) for key in sorted(by_key.keys() - open_carriers.keys())
    ]
    made = [row for row in made if not _exists(row)]
    AlertNotification.objects.bulk_create(made)
    carriers = {key: row.pk for key, row in open_carriers.items()}
    carriers |= {key_of(row): row.pk for row in made}
    for key, mine in by_key.items():
        for row in mine:
            row.carried_by_id, row.reason = carriers.get(key), Reason.IN_SUMMARY


def _open(people: Sequence[str]) -> list[AlertNotification]:
    carriers = AlertNotification.objects.filter(
        kind=NotificationKind.SUMMARY, state__in=DUE_STATES, recipient_key__in=people
    )
    return list(carriers.order_by("pk").select_for_update())


def _new(first: Row, now: datetime, wait_s: float) -> AlertNotification:
    return AlertNotification.like(
        first,
        kind=NotificationKind.SUMMARY,
        created_at=now,
        due_at=now + timedelta(seconds=wait_s),
        expires_at=now + timedelta(seconds=max(conf.get().EXPIRY_S.values())),
    )


def _exists(row: AlertNotification) -> bool:
    """A summary that began with the same happening has gone out: the row goes singly."""
    same = AlertNotification.objects.filter(
        occurrence_id=row.occurrence_id,
        kind=row.kind,
        recipient_key=row.recipient_key,
        channel=row.channel,
    )
    return same.exists()
