"""P3: each occurrence that notifies gives one notification for each kind, person and channel: never none, never two."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import IntegrityError, connection, transaction

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import resolve
from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import fan_out
from notifications_app.channels import registry
from notifications_app.models import AlertNotification, NotificationSettings
from scheduler_app import bulk
from scheduler_app.signals import BatchSignal
from tests.factories import make_user
from tests.promises.threads import run_in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def new(fingerprint: str = "disk", **fields) -> NewAlert:
    return NewAlert(fingerprint=fingerprint, title="Disk full", owner="olga", **fields)


@pytest.fixture
def olga():
    return make_user("olga")


@pytest.fixture
def later(monkeypatch):
    """Fan-out is not done at the commit, as if the process had died between the two."""
    monkeypatch.setattr(BatchSignal, "send", lambda self, **batch: True)


def told() -> int:
    return AlertNotification.objects.count()


def test_alert_tells_its_owner_once_by_each_channel(olga):
    raise_alert(new())
    assert sorted(AlertNotification.objects.values_list("channel", flat=True)) == [
        "EMAIL", "SYSTEM", "WECHAT",
    ]  # fmt: skip


def test_what_a_dead_process_left_untold_is_found(olga, later):
    raise_alert(new())
    assert told() == 0
    assert fan_out.fan_out_due(at_once_only=True, limit=50) == (1, 3)
    assert fan_out.fan_out_due(at_once_only=True, limit=50) == (0, 0)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_many_workers_at_once_write_each_row_once(olga, later):
    occurrence = raise_alert(new())
    run_in_threads(8, lambda: fan_out.fan_out([occurrence.pk]))
    assert told() == 3


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_twenty_senders_at_once_open_one_episode(olga):
    run_in_threads(20, lambda: raise_alert(new()))
    alert = AlertRecord.objects.get()
    assert (alert.occurrence_count, told()) == (20, 3)


def test_same_happening_told_twice_counts_once(olga):
    for _ in range(2):
        raise_alert(new(source_key="run:7"))
    assert AlertOccurrence.objects.count() == 1


def test_key_holds_also_after_the_person_is_gone(olga):
    raise_alert(new())
    row = AlertNotification.objects.filter(channel="EMAIL").get()
    olga.delete()
    row.refresh_from_db()
    assert (row.recipient, row.recipient_name) == (None, "olga")
    row.pk, row.uuid = None, None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_switched_off_channel_gets_no_row(olga):
    NotificationSettings.objects.create(user=olga, wechat_enabled=False, email_enabled=False)
    raise_alert(new())
    assert AlertNotification.objects.get().channel == "SYSTEM"


def test_recovery_is_told_to_the_same_people_behind_their_firing(olga):
    raise_alert(new())
    make_user("late")
    resolve(AlertRecord.objects.get().pk, by="olga")
    rows = AlertNotification.objects.filter(kind="RESOLVE")
    assert {(row.recipient_key, row.held_by.kind) for row in rows} == {(f"user:{olga.pk}", "FIRE")}


def test_alert_that_nobody_can_be_told_of_is_not_tried_for_ever(later):
    raise_alert(new())
    fan_out.fan_out_due(at_once_only=True, limit=50)
    assert told() == 0
    assert not AlertOccurrence.objects.filter(fan_out_due=True).exists()


def test_one_poisoned_alert_holds_up_no_other(olga, later, monkeypatch):
    poisoned, good = raise_alert(new("a")), raise_alert(new("b"))
    real = fan_out.fan_out

    def fail_for_one(ids: Sequence[int]) -> int:
        if poisoned.pk in ids:
            raise ValueError("poison")
        return real(ids)

    monkeypatch.setattr(fan_out, "fan_out", fail_for_one)
    fan_out.fan_out_due(at_once_only=True, limit=50)
    assert not AlertOccurrence.objects.get(pk=good.pk).fan_out_due
    assert AlertOccurrence.objects.get(pk=poisoned.pk).fan_out_due
    assert fan_out.due(at_once_only=True, limit=50) == []
    monkeypatch.setattr(fan_out, "_put_off", {})
    assert fan_out.due(at_once_only=True, limit=50) == [poisoned.pk]


def test_alert_that_was_over_before_anybody_was_told_is_told_in_order(olga, later):
    alert = raise_alert(new()).alert
    resolve(alert.pk, by="olga")
    assert fan_out.fan_out_due(at_once_only=False, limit=50) == (2, 6)
    resolves = AlertNotification.objects.filter(kind="RESOLVE")
    assert {row.held_by.channel for row in resolves} == {row.channel for row in resolves}


def test_many_alerts_are_told_by_few_statements(olga, later, django_assert_max_num_queries):
    for number in range(50):
        raise_alert(new(f"disk{number}"))
    with django_assert_max_num_queries(20):
        assert fan_out.fan_out_due(at_once_only=True, limit=50)[0] == 50


def test_transaction_takes_no_more_rows_than_it_may(olga, later, monkeypatch):
    ids = [raise_alert(new(f"disk{number}")).pk for number in range(5)]
    monkeypatch.setattr(fan_out, "ROWS_MOST", 2 * len(registry.names()))
    at_once = []
    monkeypatch.setattr(bulk, "insert", lambda model, rows: at_once.append(len(rows)))
    fan_out.fan_out(ids)
    assert at_once == [6, 6, 3]
