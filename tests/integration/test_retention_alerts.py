from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts_app import lifecycle
from alerts_app.intake import NewAlert, raise_alert
from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import rollups
from notifications_app.models import AlertNotification, ChannelTally, DeliveryAttempt
from notifications_app.states import AttemptOutcome, NotificationKind, NotificationState
from scheduler_app import metrics, recount, retention
from scheduler_app.clock import db_now
from scheduler_app.models.tallies import ALL_TIME
from tests.factories import make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def prune(**options: Any) -> dict[str, int]:
    return retention.prune(db_now(), **options)


def resolved(days: float) -> AlertRecord:
    occurrence = raise_alert(NewAlert(fingerprint=f"f{days}", title="It failed"))
    lifecycle.resolve(occurrence.alert_id, by="olga")
    AlertOccurrence.objects.update(fan_out_due=False)
    AlertRecord.objects.filter(pk=occurrence.alert_id).update(resolved_at=db_now() - days * DAY)
    return occurrence.alert


def told(alert: AlertRecord, days: float, state: str = NotificationState.SENT, **fields):
    """A notification of `alert` that ended `days` ago after a failed and a successful attempt."""
    moment = db_now() - days * DAY
    row = AlertNotification.objects.create(
        alert=alert,
        occurrence=alert.occurrences.last(),
        kind=NotificationKind.FIRE,
        recipient_key=f"key-{AlertNotification.objects.count()}",
        channel="EMAIL",
        severity="ERROR",
        priority=1,
        state=state,
        created_at=moment,
        due_at=moment,
        expires_at=moment + DAY,
        finished_at=moment,
        **fields,
    )
    for outcome in (AttemptOutcome.TRANSIENT, AttemptOutcome.SENT):
        attempt = DeliveryAttempt.objects.create(
            notification=row, channel="EMAIL", number=1, started_at=moment, outcome=outcome
        )
        rollups.count([vars(attempt)])
    return row


def channel_totals() -> dict[str, tuple[int, int]]:
    rows = ChannelTally.objects.filter(hour=ALL_TIME, channel="EMAIL")
    return {row.outcome: (row.total, row.pruned) for row in rows}


def test_old_notifications_go_and_their_attempts_are_booked():
    alert = resolved(days=1)
    told(alert, days=91)
    kept = told(alert, days=89)
    before = metrics.exposition(now := db_now())
    assert prune()["notifications"] == 1
    assert list(AlertNotification.objects.all()) == [kept]
    assert channel_totals() == {"SENT": (2, 1), "TRANSIENT": (2, 1)}
    assert (recount.differences(), metrics.exposition(now)) == ([], before)


@pytest.mark.parametrize("state", ["PENDING", "FAILED", "UNKNOWN", "SENDING"])
def test_open_notifications_stay_however_old(state):
    told(resolved(days=999), days=999, state=state)
    assert (prune()["notifications"], AlertRecord.objects.count()) == (0, 1)


def test_a_notification_that_another_waits_for_stays():
    alert = resolved(days=1)
    firing = told(alert, days=91)
    told(alert, days=0, state=NotificationState.PENDING, held_by=firing)
    assert prune()["notifications"] == 0


def test_resolved_alerts_go_with_their_occurrences():
    resolved(days=181)
    kept = resolved(days=179)
    found = prune()
    assert (found["alerts"], found["occurrences"]) == (1, 2)
    assert list(AlertRecord.objects.all()) == [kept]
    assert AlertOccurrence.objects.count() == 2


def test_an_old_alert_goes_with_its_old_notifications_in_one_prune():
    told(resolved(days=181), days=180)
    found = prune()
    assert (found["notifications"], found["alerts"]) == (1, 1)
    assert channel_totals() == {"SENT": (1, 1), "TRANSIENT": (1, 1)}


def test_an_alert_with_a_notification_left_stays():
    told(resolved(days=181), days=10)
    found = prune()
    assert (found["alerts"], found["occurrences"]) == (0, 0)
    assert DeliveryAttempt.objects.count() == 2


def test_an_alert_that_somebody_must_be_told_of_stays():
    resolved(days=181)
    AlertOccurrence.objects.filter(kind="RESOLVE").update(fan_out_due=True)
    assert prune()["alerts"] == 0


def test_open_alerts_stay_however_old():
    occurrence = raise_alert(NewAlert(fingerprint="f", title="It failed"))
    AlertRecord.objects.filter(pk=occurrence.alert_id).update(last_seen_at=db_now() - 999 * DAY)
    assert prune()["alerts"] == 0


def test_a_person_who_left_does_not_keep_notifications():
    user = make_user()
    told(resolved(days=1), days=91, recipient=user)
    user.delete()
    assert prune()["notifications"] == 1


def test_dry_run_counts_and_deletes_nothing():
    told(resolved(days=1), days=91)
    resolved(days=181)
    found = prune(dry_run=True)
    assert (found["notifications"], found["alerts"], found["occurrences"]) == (1, 1, 2)
    assert (AlertNotification.objects.count(), AlertRecord.objects.count()) == (1, 2)
