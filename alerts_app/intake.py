"""The one way in for alerts: an episode is opened, or an open one happens once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from alerts_app import conf
from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.signals import occurrences_ready
from alerts_app.states import AlertState, OccurrenceKind, Source
from scheduler_app import after_commit, bulk
from scheduler_app.clock import db_now
from scheduler_app.states import Severity
from scheduler_app.texts import cut_line, storable

BODY_LIMIT_BYTES = 16_384
CHANGED = (
    "occurrence_count", "last_seen_at", "title", "body", "link", "labels", "severity", "notified_at",
    "catch_up_at",
)  # fmt: skip
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
    return raise_alerts([new])[0]


def raise_alerts(news: Sequence[NewAlert]) -> list[AlertOccurrence]:
    """`raise_alert` for each of `news` in their order, at the cost of a few statements."""
    if not news:
        return []
    now = db_now()
    with transaction.atomic():
        keys = {new.source_key for new in news if new.source_key}
        known = {
            one.source_key: one for one in AlertOccurrence.objects.filter(source_key__among=keys)
        }
        alerts = _open([new for new in news if new.source_key not in known], now)
        found, fresh = list[AlertOccurrence](), list[AlertOccurrence]()
        for new in news:
            occurrence = known.get(new.source_key) if new.source_key else None
            if occurrence is None:
                occurrence = _happen(alerts[_key_of(new)], new, now)
                fresh.append(occurrence)
                if new.source_key:
                    known[new.source_key] = occurrence
            found.append(occurrence)
        AlertOccurrence.objects.bulk_create(fresh)
        _store(alerts.values())
        tell(one.pk for one in fresh if one.fan_out_due)
    return found


def tell(occurrence_ids: Iterable[int]) -> None:
    """After the commit, let the apps above know that there are people to be told."""
    ids = list(occurrence_ids)
    if ids:
        transaction.on_commit(lambda: after_commit.do(lambda: _send(ids)), robust=True)


def _send(ids: list[int]) -> None:
    occurrences_ready.send(occurrence_ids=ids)


def _happen(alert: AlertRecord, new: NewAlert, now: datetime) -> AlertOccurrence:
    """Let `alert` happen once more; neither it nor the occurrence is stored yet."""
    worse = RANK[new.severity] > RANK[alert.severity]
    notifies = alert.occurrence_count == 0 or worse or _repeat_is_due(alert, now)
    catches_up = not notifies and _catch_up_is_due(alert, now)
    occurrence = AlertOccurrence(
        alert=alert,
        kind=OccurrenceKind.FIRE,
        source_key=new.source_key,
        happened_at=new.happened_at or now,
        title=cut_line(new.title, 200),
        body=storable(new.body, BODY_LIMIT_BYTES),
        link=new.link,
        run_state=new.labels.get("state", "") if new.source == Source.RUN else "",
        run=new.run,
        notifies=notifies,
        fan_out_due=notifies or catches_up,
    )
    alert.occurrence_count += 1
    alert.last_seen_at = occurrence.happened_at
    alert.title, alert.body, alert.link = occurrence.title, occurrence.body, occurrence.link
    alert.labels = new.labels
    alert.severity = new.severity if worse else alert.severity
    alert.notified_at = now if notifies else alert.notified_at
    alert.catch_up_at = None if catches_up else alert.catch_up_at
    return occurrence


def _key_of(new: NewAlert) -> str:
    return cut_line(new.fingerprint, 200)


def _open(news: Sequence[NewAlert], now: datetime) -> dict[str, AlertRecord]:
    """The open episodes of the fingerprints, locked, by their keys; made where there are none."""
    missing = {_key_of(new): _episode(new, now) for new in reversed(news)}
    found: dict[str, AlertRecord] = {}
    while missing:  # again for what somebody resolved between the two statements
        made = [alert for _, alert in sorted(missing.items())]
        AlertRecord.objects.bulk_create(made, ignore_conflicts=True)
        rows = AlertRecord.objects.filter(open_key__among=list(missing)).order_by("open_key")
        for alert in rows.select_for_update():
            assert alert.open_key is not None
            found[alert.open_key] = alert
            del missing[alert.open_key]
    return found


def _episode(new: NewAlert, now: datetime) -> AlertRecord:
    return AlertRecord(
        fingerprint=_key_of(new),
        open_key=_key_of(new),
        source=new.source,
        severity=new.severity,
        category=new.category,
        title=cut_line(new.title, 200),
        owner=new.owner,
        first_seen_at=new.happened_at or now,
        last_seen_at=new.happened_at or now,
    )


def _store(alerts: Iterable[AlertRecord]) -> None:
    rows = [{name: getattr(alert, name) for name in ("id", *CHANGED)} for alert in alerts]
    bulk.update_each(AlertRecord, rows, match=("id",), values=CHANGED)


def _catch_up_is_due(alert: AlertRecord, now: datetime) -> bool:
    is_open = alert.state == AlertState.OPEN
    return is_open and alert.catch_up_at is not None and alert.catch_up_at <= now


def _repeat_is_due(alert: AlertRecord, now: datetime) -> bool:
    if alert.state != AlertState.OPEN or alert.notified_at is None:
        return False
    return now - alert.notified_at >= timedelta(seconds=conf.get().REPEAT_S)
