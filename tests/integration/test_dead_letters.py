from __future__ import annotations

from datetime import timedelta

import pytest

from alerts_app.lifecycle import resolve
from notifications_app import channel_states, dead_letters, preferences
from notifications_app.dead_letters import DeadFilter
from notifications_app.models import AlertNotification, ChannelState, DeliveryAttempt
from notifications_app.worker import Worker
from scheduler_app.clock import db_now
from tests.factories import make_user
from tests.integration.api.conftest import make_alert, make_notification

pytestmark = pytest.mark.django_db(transaction=True)

DEAD = {"state": "DEAD", "reason": "TRIES_USED_UP", "tries": 5}


def make_dead(user, channel="SYSTEM", alert=None, **fields):
    return make_notification(user, channel, alert, **{**DEAD, "finished_at": db_now(), **fields})


def found(**chosen):
    return {row.pk for row in dead_letters.dead(DeadFilter(**chosen))}


def test_filters_narrow_and_say_nothing_of_what_lives():
    olga, otto = make_user("olga", first_name="Olga"), make_user("otto")
    first = make_dead(olga, "EMAIL", reason="REFUSED")
    old = make_dead(otto, finished_at=db_now() - timedelta(days=2))
    make_notification(olga)
    assert found() == {first.pk, old.pk}
    assert found(channel="EMAIL") == found(reason="REFUSED") == {first.pk}
    assert found(since=db_now() - timedelta(days=1)) == {first.pk}
    assert found(alert=old.alert_id) == found(ids=[old.pk]) == {old.pk}
    for name in ("olga", "olga@example.com", "Olga", f"user:{olga.pk}"):
        assert found(person=name) == {first.pk}


def test_newest_come_first_with_what_the_gateway_said_last():
    olga = make_user()
    carrier = make_dead(olga, "EMAIL", kind="SUMMARY")
    carried = make_dead(olga, "EMAIL", carried_by=carrier)
    old = make_dead(olga, finished_at=db_now() - timedelta(hours=1))
    for number, answer in ((1, "later"), (2, "550 no")):
        DeliveryAttempt.objects.create(
            notification=carrier, channel="EMAIL", number=number, started_at=db_now(),
            outcome="PERMANENT", code="550", answer=answer,
        )  # fmt: skip
    rows = dead_letters.latest(dead_letters.dead(DeadFilter()), 10)
    assert [(row.pk, row.last_answer) for row in rows] == [
        (carried.pk, "550 no"), (carrier.pk, "550 no"), (old.pk, ""),
    ]  # fmt: skip


def test_preview_says_what_would_become_of_each():
    olga, otto, gone = make_user("olga"), make_user("otto"), make_user("gone")
    preferences.save(otto, {"email_enabled": False})
    over = make_alert()
    resolve(over.pk, by="olga")
    for _ in range(2):
        make_dead(olga)
    make_dead(olga, alert=over)
    make_dead(otto, "WEBHOOK")
    make_dead(gone)
    gone.delete()
    preview = dead_letters.preview(dead_letters.dead(DeadFilter()), db_now())
    assert preview.facts() == {
        "total": 5,
        "chosen": [
            {"channel": "SYSTEM", "reason": "TRIES_USED_UP", "count": 4},
            {"channel": "WEBHOOK", "reason": "TRIES_USED_UP", "count": 1},
        ],
        "sent": 3,
        "sent_resolved": 1,
        "suppressed": {"PERSON_GONE": 1},
        "given_up_again": {"CHANNEL_OFF": 1},
        "waiting": {},
    }
    assert set(AlertNotification.objects.values_list("state", flat=True)) == {"DEAD"}


@pytest.mark.parametrize(
    ("wishes", "fate"),
    [
        ({"system_enabled": False}, ("SUPPRESSED", "SWITCHED_OFF")),
        ({"system_min_severity": "CRITICAL"}, ("SUPPRESSED", "BELOW_SEVERITY")),
    ],
)
def test_preview_is_what_the_worker_then_does(wishes, fate):
    olga = make_user()
    preferences.save(olga, wishes)
    row = make_dead(olga, expires_at=db_now() - timedelta(days=9))
    rows = dead_letters.dead(DeadFilter())
    assert dead_letters.preview(rows, db_now()).fates == {fate: 1}
    assert list(dead_letters.requeue(rows, by="test")) == [1]
    Worker(concurrency=1).run(drain=True)
    row.refresh_from_db()
    assert (row.state, row.reason) == fate


def test_channel_that_is_held_makes_them_wait():
    make_dead(make_user())
    channel_states.ensure()
    ChannelState.objects.filter(pk="SYSTEM").update(held=True)
    preview = dead_letters.preview(dead_letters.dead(DeadFilter()), db_now())
    assert preview.facts()["waiting"] == {"CHANNEL_PAUSED": 1}


def test_preview_asks_as_much_for_many_as_for_few(django_assert_max_num_queries):
    olga = make_user()
    for _ in range(30):
        make_dead(olga)
    channel_states.ensure()
    with django_assert_max_num_queries(10):
        assert dead_letters.preview(dead_letters.dead(DeadFilter()), db_now()).sent == 30


def test_many_go_out_again_by_the_batch(monkeypatch):
    monkeypatch.setattr(dead_letters, "BATCH", 4)
    olga = make_user()
    for _ in range(10):
        make_dead(olga)
    assert list(dead_letters.requeue(dead_letters.dead(DeadFilter()), by="test")) == [4, 4, 2]
    assert set(AlertNotification.objects.values_list("state", "tries")) == {("PENDING", 0)}


@pytest.mark.parametrize("batch", [1, 500])
def test_summary_takes_what_it_carried_along(monkeypatch, batch):
    """Whether the rows are in its batch or not, and also when only the summary is named."""
    monkeypatch.setattr(dead_letters, "BATCH", batch)
    olga = make_user()
    before = make_dead(olga, "EMAIL")
    carrier = make_dead(olga, "EMAIL", kind="SUMMARY")
    after = make_dead(olga, "EMAIL")
    mine = AlertNotification.objects.filter(pk__in=[before.pk, after.pk])
    mine.update(carried_by=carrier)
    for chosen in (DeadFilter(), DeadFilter(ids=[carrier.pk])):
        rows = dead_letters.dead(chosen)
        assert dead_letters.preview(rows, db_now()).total == 3
        assert sum(dead_letters.requeue(rows, by="test")) == 3
        assert set(mine.values_list("state", "carried_by")) == {("PENDING", carrier.pk)}
        AlertNotification.objects.update(state="DEAD")


def test_row_of_a_summary_that_alone_is_named_goes_out_by_itself():
    olga = make_user()
    carrier = make_dead(olga, "EMAIL", kind="SUMMARY")
    row = make_dead(olga, "EMAIL", carried_by=carrier)
    assert sum(dead_letters.requeue(dead_letters.dead(DeadFilter(ids=[row.pk])), by="test")) == 1
    row.refresh_from_db()
    carrier.refresh_from_db()
    assert (row.state, row.carried_by, carrier.state) == ("PENDING", None, "DEAD")
