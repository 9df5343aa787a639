"""The state machine of an alert: OPEN -> ACKNOWLEDGED -> RESOLVED."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from alerts_app.errors import AlertStateError, UnknownAlertError
from alerts_app.intake import tell
from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import MOVES, AlertState, OccurrenceKind, Source
from scheduler_app import bulk
from scheduler_app.clock import db_now

logger = logging.getLogger(__name__)

RESOLVED = ("state", "open_key", "resolved_at", "resolved_by")


def acknowledge(alert_id: int, *, by: str) -> AlertRecord:
    """Somebody is on it: repeats stay silent from now on. Raises UnknownAlertError, AlertStateError."""
    with transaction.atomic():
        alert = _lock(alert_id)
        _move(alert, AlertState.ACKNOWLEDGED)
        alert.acknowledged_at, alert.acknowledged_by = db_now(), by
        alert.save(update_fields=["state", "acknowledged_at", "acknowledged_by"])
    return alert


def resolve(alert_id: int, *, by: str) -> AlertRecord:
    """It is over, somebody says. Raises UnknownAlertError, AlertStateError."""
    with transaction.atomic():
        alert = _lock(alert_id)
        _resolve([(alert, Recovery(fingerprint=alert.fingerprint, happened_at=db_now()))], by=by)
    return alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What an alert was about is over; `source_key` names the happening, so that it counts once."""

    fingerprint: str
    happened_at: datetime
    source_key: str = ""
    text: str = ""


def recover(
    fingerprints: Iterable[str], *, happened_at: datetime, source_key: str, text: str = ""
) -> int:
    """It is over by itself: resolve what is open under `fingerprints`; returns how many were."""
    return recover_all(
        [
            Recovery(fingerprint=one, happened_at=happened_at, source_key=source_key, text=text)
            for one in fingerprints
        ]
    )


def recover_all(recoveries: Sequence[Recovery]) -> int:
    """Resolve the open alerts of `recoveries`, in three statements; returns how many alerts were open.

    An alert that has happened again since stays open.
    """
    if not recoveries:
        return 0
    known = {one.fingerprint: one for one in recoveries}
    with transaction.atomic():
        open_alerts = AlertRecord.objects.filter(open_key__among=list(known)).order_by("pk")
        alerts = list(open_alerts.select_for_update())
        over = [(alert, known[alert.fingerprint]) for alert in alerts]
        _resolve([(alert, end) for alert, end in over if alert.last_seen_at <= end.happened_at])
    return len(alerts)


def catch_up(at: datetime, alert_ids: Iterable[int] | None = None) -> int:
    """Let the next occurrence from `at` on of open alerts (those of `alert_ids`, or all) tell who was not told.

    Returns how many alerts there are.
    """
    with transaction.atomic():
        alerts = AlertRecord.objects.filter(open_key__isnull=False)
        if alert_ids is not None:
            alerts = alerts.filter(pk__among=list(alert_ids))
        later = alerts.filter(Q(catch_up_at__isnull=True) | Q(catch_up_at__gt=at))
        # in the order in which the intake locks them
        ids = list(later.order_by("open_key").select_for_update().values_list("pk", flat=True))
        return AlertRecord.objects.filter(pk__among=ids).update(catch_up_at=at)


def open_owners() -> list[tuple[int, str]]:
    """Primary key and owner of each open alert."""
    return list(AlertRecord.objects.filter(open_key__isnull=False).values_list("pk", "owner"))


def _resolve(ended: Sequence[tuple[AlertRecord, Recovery]], *, by: str = "") -> None:
    occurrences = []
    for alert, end in ended:
        _move(alert, AlertState.RESOLVED)
        told = alert.notified_at is not None
        alert.open_key, alert.resolved_at, alert.resolved_by = None, end.happened_at, by
        occurrences.append(
            AlertOccurrence(
                alert=alert,
                kind=OccurrenceKind.RESOLVE,
                source_key=f"{end.source_key}:{alert.pk}" if end.source_key else None,
                happened_at=end.happened_at,
                title=alert.title,
                body=end.text,
                link=alert.link,
                run_state=alert.labels.get("state", "") if alert.source == Source.RUN else "",
                notifies=told,
                fan_out_due=told,
            )
        )
    rows = [{name: getattr(alert, name) for name in ("id", *RESOLVED)} for alert, _end in ended]
    bulk.update_each(AlertRecord, rows, match=("id",), values=RESOLVED)
    AlertOccurrence.objects.bulk_create(occurrences)
    for alert, _end in ended:
        logger.info("alert_resolved", extra={"alert": alert.pk, "by": by or "recovery"})
    tell(one.pk for one in occurrences if one.notifies)


def _lock(alert_id: int) -> AlertRecord:
    alert = AlertRecord.objects.select_for_update().filter(pk=alert_id).first()
    if alert is None:
        raise UnknownAlertError(_("There is no alert %(alert)s.") % {"alert": alert_id})
    return alert


def _move(alert: AlertRecord, state: AlertState) -> None:
    if state not in MOVES.get(AlertState(alert.state), ()):
        facts = {"alert": alert.pk, "state": alert.state, "wanted": state}
        raise AlertStateError(
            _("Alert %(alert)s is %(state)s and cannot become %(wanted)s.") % facts
        )
    alert.state = state
