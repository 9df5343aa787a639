"""The one way in for alerts: an episode is opened, or an open one happens once more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from alerts_app import conf
from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.signals import occurrences_ready
from alerts_app.states import AlertState, OccurrenceKind, Source
from scheduler_app.clock import db_now
from scheduler_app.states import Severity
from scheduler_app.texts import cut_line, storable

BODY_LIMIT_BYTES = 16_384
RANK = {severity: number for number, severity in enumerate(Severity.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlert:
    """Something that happened. Equal fingerprints are one episode while it is open.

    `source_key` names the happening itself: telling the same one twice counts once.
    """

    fingerprint: str
    title: str
    severity: str = Severity.ERROR
    source: str = Source.CODE
    category: str = ""
    body: str = ""
    labels: dict[str, Any] = field(default_factory=dict)
    owner: str = ""
    link: str = ""
    source_key: str | None = None
    run: int | None = None
    happened_at: datetime | None = None


def raise_alert(new: NewAlert) -> AlertOccurrence:
    """Record `new`. People are told when it opens an episode, grows more severe, or the repeat interval is over."""
    now = db_now()
    with transaction.atomic():
        if new.source_key and (known := _known(new.source_key)):
            return known
        alert = _open(new, now)
        first = alert.occurrence_count == 0
        worse = RANK[new.severity] > RANK[alert.severity]
        notifies = first or worse or _repeat_is_due(alert, now)
        occurrence = AlertOccurrence.objects.create(
            alert=alert,
            kind=OccurrenceKind.FIRE,
            source_key=new.source_key,
            happened_at=new.happened_at or now,
            body=storable(new.body, BODY_LIMIT_BYTES),
            run=new.run,
            notifies=notifies,
            fan_out_due=notifies,
        )
        alert.occurrence_count += 1
        alert.last_seen_at = occurrence.happened_at
        alert.body, alert.link = occurrence.body, new.link
        alert.labels = new.labels
        alert.severity = new.severity if worse else alert.severity
        alert.notified_at = now if notifies else alert.notified_at
        alert.save()
        if notifies:
            tell([occurrence.pk])
    return occurrence


def tell(occurrence_ids: Iterable[int]) -> None:
    """After the commit, let the apps above know that there are people to be told."""
    ids = list(occurrence_ids)
    if ids:
        transaction.on_commit(lambda: _send(ids), robust=True)


def _send(ids: list[int]) -> None:
    occurrences_ready.send(occurrence_ids=ids)


def _known(source_key: str) -> AlertOccurrence | None:
    return AlertOccurrence.objects.filter(source_key=source_key).first()


def _open(new: NewAlert, now: datetime) -> AlertRecord:
    """The open episode of the fingerprint, locked; made if there is none."""
    fingerprint = cut_line(new.fingerprint, 200)
    while True:
        AlertRecord.objects.bulk_create(
            [
                AlertRecord(
                    fingerprint=fingerprint,
                    open_key=fingerprint,
                    source=new.source,
                    severity=new.severity,
                    category=new.category,
                    title=cut_line(new.title, 200),
                    owner=new.owner,
                    first_seen_at=new.happened_at or now,
                    last_seen_at=new.happened_at or now,
                )
            ],
            ignore_conflicts=True,
        )
        found = AlertRecord.objects.select_for_update().filter(open_key=fingerprint).first()
        if found is not None:  # else somebody resolved it between the two statements
            return found


def _repeat_is_due(alert: AlertRecord, now: datetime) -> bool:
    if alert.state != AlertState.OPEN or alert.notified_at is None:
        return False
    return now - alert.notified_at >= timedelta(seconds=conf.get().REPEAT_S)
