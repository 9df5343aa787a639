"""From occurrences to the notifications of people: in few transactions, harmless when done twice (P3)."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from django.db import transaction
from django.db.models import Count

from alerts_app import lifecycle
from alerts_app.models import AlertOccurrence
from alerts_app.states import OccurrenceKind
from notifications_app import (
    claims,
    conf,
    new_rows,
    preferences,
    queues,
    reconsider,
    summaries,
)
from notifications_app.channel_alarms import channel_of
from notifications_app.channels import registry
from notifications_app.channels.system.channel import IN_APP
from notifications_app.models import AlertNotification
from notifications_app.new_rows import Key
from notifications_app.reach import Audience, Reach, Wanted
from notifications_app.reconsider import PutOff
from notifications_app.states import Reason
from scheduler_app import bulk, outages
from scheduler_app.transactions import brief

logger = logging.getLogger("NotificationDispatcher")

PUT_OFF_S = 60.0
CATCH_UP_S = 5.0
"""So soon at most an alert tells anew who could not be told; a change of preferences makes it the next occurrence."""
TOGETHER = 100
"""Occurrences of one transaction at most."""
ROWS_MOST = 2000
"""About so many rows of one transaction; a single occurrence may have more."""


def receive(*, occurrence_ids: Sequence[int]) -> None:
    """Tell people at once where the severity asks for it; the rest waits for `send_alert_notifications`."""
    rows = AlertOccurrence.objects.filter(pk__among=occurrence_ids, alert__severity__in=_severe())
    _fan_out_safely(list(rows.order_by("pk").values_list("pk", flat=True)))


def due(*, at_once_only: bool, limit: int) -> list[int]:
    """Occurrences whose people are not told yet, the oldest first."""
    rows = (
        AlertOccurrence.objects.filter(fan_out_due=True)
        .exclude(pk__in=list(_put_off))
        .order_by("pk")
    )
    if at_once_only:
        rows = rows.filter(alert__severity__in=_severe())
    return list(rows.values_list("pk", flat=True)[:limit])


def _severe() -> list[str]:
    """What people are told at once."""
    least = preferences.RANK[conf.get().IMMEDIATE_FROM]
    return [name for name, rank in preferences.RANK.items() if rank >= least]


def fan_out_due(*, at_once_only: bool, limit: int) -> tuple[int, int]:
    """Fan out at most `limit` occurrences that are due; returns (occurrences, new rows).

    One that fails holds up no other: it is logged, keeps its mark, and is tried again a minute later.
    """
    now_s = time.monotonic()
    for failed in [pk for pk, until_s in _put_off.items() if until_s < now_s]:
        del _put_off[failed]
    ids = due(at_once_only=at_once_only, limit=limit)
    return len(ids), _fan_out_safely(ids)


_put_off: dict[int, float] = {}


def _fan_out_safely(ids: Sequence[int]) -> int:
    """All together, and one by one when that fails."""
    try:
        return fan_out(ids)
    except Exception as error:
        if outages.is_outage(error):
            raise
        if len(ids) > 1:
            return sum(_fan_out_safely([pk]) for pk in ids)
        logger.exception("fan_out_failed", extra={"occurrence": ids[0]})
        _put_off[ids[0]] = time.monotonic() + PUT_OFF_S
        return 0


def fan_out(ids: Sequence[int]) -> int:
    """Write one row for each person and channel; returns how many are new."""
    new, left = 0, list(ids)
    while left:
        some = left[:TOGETHER]
        told, rows = _fan_out_first(some)
        new += rows
        left = [pk for pk in some if pk not in told] + left[TOGETHER:]
    return new


def _fan_out_first(ids: Sequence[int]) -> tuple[set[int], int]:
    """Fan out the first of `ids` in one transaction; returns those that are done with, and how many rows are new."""
    with brief() as now:
        marked = AlertOccurrence.objects.filter(pk__among=ids, fan_out_due=True)
        ordered = marked.select_related("alert").order_by("pk")
        waiting = list(ordered.select_for_update(of=("self",)))
        readers = Readers.of(waiting)
        some = _as_many_as_fit(waiting, _sizes(waiting, readers))
        rows = _rows(some, readers, now)
        summaries.carry(summaries.in_storm(rows, now), now, wait_s=conf.get().SUMMARY_S)
        bulk.insert(AlertNotification, [_columns(row) for row in rows])
        told = [occurrence.pk for occurrence in some]
        AlertOccurrence.objects.filter(pk__among=told).update(fan_out_due=False)
        _mark_told_repeats(some, rows)
        _ring_for(told, now)
    put_off = [row for row in rows if row.reason == Reason.QUIET_HOURS]
    reconsider.look_again((PutOff(r.recipient_id, r.severity, r.due_at) for r in put_off), now)
    if incomplete := readers.incomplete_alerts(some):
        lifecycle.catch_up(now + timedelta(seconds=CATCH_UP_S), incomplete)
    new = Counter(row.occurrence_id for row in rows)
    for one in some:
        logger.info("fan_out", extra={"alert": one.alert_id, "kind": one.kind, "new": new[one.pk]})
        if one.notifies:
            _log_audience(one, readers.audiences.get(one.pk))
    return {*ids} - {one.pk for one in waiting[len(some) :]}, len(rows)


@dataclass(frozen=True, slots=True)
class Readers:
    """The recipients of each occurrence that fires an alert, by its primary key."""

    reach: Reach
    wanted: Mapping[int, Wanted]
    audiences: Mapping[int, Audience]

    @classmethod
    def of(cls, occurrences: Sequence[AlertOccurrence]) -> Readers:
        wanted = {
            one.pk: Wanted(one.alert.owner, one.alert.severity, channel_of(one.alert))
            for one in occurrences
            if one.kind == OccurrenceKind.FIRE
        }
        reach = Reach(one.owner for one in wanted.values())
        found = {one: reach.audience(one) for one in set(wanted.values())}
        return cls(reach, wanted, {pk: found[one] for pk, one in wanted.items()})

    def addresses(self, occurrence: AlertOccurrence) -> Iterator[tuple[tuple[int, Key], str]]:
        """Each person and channel that can be told of `occurrence`, with the address."""
        wanted, audience = self.wanted[occurrence.pk], self.audiences[occurrence.pk]
        for one in audience.told_by_wish:
            for way in self.reach.ways(one, wanted):
                if not way.obstacle:
                    yield (occurrence.pk, (preferences.key_of(one.user), way.channel)), way.address
        for one in audience.last_resort:
            yield (occurrence.pk, (preferences.key_of(one.user), IN_APP)), ""

    def incomplete_alerts(self, occurrences: Sequence[AlertOccurrence]) -> set[int]:
        """Alerts of which some people are not told by a channel that they want."""
        return {
            one.alert_id
            for one in occurrences
            if one.pk in self.wanted
            and not self.reach.is_complete(self.audiences[one.pk], self.wanted[one.pk])
        }


def _log_audience(occurrence: AlertOccurrence, audience: Audience | None) -> None:
    if audience is None or not audience.obstacles:
        return
    extra = {
        "alert": occurrence.alert_id,
        "owner": occurrence.alert.owner,
        "why": audience.obstacles,
        "instead": [preferences.key_of(one.user) for one in audience.everyone],
    }
    if audience.everyone:
        logger.warning("owner_not_reached", extra=extra)
    else:
        logger.error("nobody_to_tell", extra=extra)


def _mark_told_repeats(
    occurrences: Sequence[AlertOccurrence], rows: Sequence[AlertNotification]
) -> None:
    """A repeat that told those who were not told before notifies, too."""
    repeats = {one.pk for one in occurrences if not one.notifies} & {r.occurrence_id for r in rows}
    if repeats:
        AlertOccurrence.objects.filter(pk__among=repeats).update(notifies=True)


def _sizes(occurrences: Sequence[AlertOccurrence], readers: Readers) -> list[int]:
    """About how many rows each of `occurrences` will have."""
    channels = len(registry.names())
    over = [one for one in occurrences if one.kind == OccurrenceKind.RESOLVE]
    fired = new_rows.firings(over).order_by().values_list("alert").annotate(Count("pk"))
    told = dict(fired) if over else {}
    return [
        told.get(one.alert_id, 0)
        if one.kind == OccurrenceKind.RESOLVE
        else len(readers.audiences[one.pk].everyone) * channels
        for one in occurrences
    ]


def _as_many_as_fit(
    occurrences: Sequence[AlertOccurrence], sizes: Sequence[int]
) -> list[AlertOccurrence]:
    """The first of `occurrences`, at least one, all of one kind: what resolves an alert looks for what fired it."""
    kept: list[AlertOccurrence] = []
    for one, total in zip(occurrences, accumulate(sizes), strict=True):
        if kept and (one.kind != kept[0].kind or total > ROWS_MOST):
            break
        kept.append(one)
    return kept


def _rows(
    occurrences: Sequence[AlertOccurrence], readers: Readers, now: datetime
) -> list[AlertNotification]:
    if occurrences and occurrences[0].kind == OccurrenceKind.RESOLVE:
        return new_rows.resolve_rows(occurrences, now)
    rows = {one: new_rows.fire_rows(one, readers.audiences[one.pk], now) for one in occurrences}
    first = [row for one in occurrences if one.notifies for row in rows[one]]
    repeats = [one for one in occurrences if not one.notifies]
    if not repeats:
        return first
    addresses = dict(pair for one in repeats for pair in readers.addresses(one))
    told = [(row.alert_id, new_rows.key_of(row)) for row in first]
    again = [row for one in repeats for row in rows[one]]
    return [*first, *new_rows.untold(again, addresses, told)]


def _columns(row: AlertNotification) -> dict[str, Any]:
    values = {column: getattr(row, attribute) for attribute, column in COLUMNS.items()}
    return {**values, "uuid": row.uuid.hex}


COLUMNS = {
    field.attname: str(field.column)
    for field in AlertNotification._meta.local_concrete_fields
    if not field.primary_key
}


def _ring_for(told: Sequence[int], now: datetime) -> None:
    """After the commit, for what may go out at once."""
    if queues.has_bell():
        rows = claims.due(now).filter(occurrence__among=told)
        ids = list(rows.values_list("pk", flat=True))
        transaction.on_commit(lambda: queues.ring(ids), robust=True)
