"""An address or a channel that appears while an alert is open is used at its next occurrence, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from alerts_app import lifecycle
from alerts_app.intake import NewAlert, raise_alert, raise_alerts
from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import channel_states, fan_out, preferences
from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = {"ENABLED": True, "SMTP_SERVER": "127.0.0.1", "FROM": "Vigil <vigil@example.com>"}
DISK = NewAlert(fingerprint="disk", title="Disk full", owner="team")


@pytest.fixture(autouse=True)
def channels(settings):
    settings.VIGIL_NOTIFICATIONS = {"EMAIL": EMAIL}


@pytest.fixture
def olga():
    return make_user("olga", email="", groups=("team",))


def told(happening: AlertOccurrence) -> set[tuple[str, str]]:
    fan_out.fan_out_due(at_once_only=False, limit=50)
    rows = AlertNotification.objects.filter(occurrence=happening)
    return {(row.recipient.get_username(), row.channel) for row in rows}


def end(channel: str, state: str, reason: str = "", **fields) -> None:
    AlertNotification.objects.filter(channel=channel).update(
        state=state, reason=reason, finished_at=db_now(), **fields
    )


def happen() -> AlertOccurrence:
    return raise_alert(DISK)


@pytest.fixture
def dead(olga):
    """An alert whose e-mail ended for want of an address, and whose inbox entry arrived."""
    told(happen())
    end("SYSTEM", "SENT")
    end("EMAIL", "DEAD", "NO_ADDRESS")
    end("WECHAT", "DEAD", "CHANNEL_OFF")
    return olga


def test_address_that_appears_is_used_at_the_next_occurrence_and_only_once(dead):
    preferences.save(dead, {"email": "olga@example.com"})
    second = happen()
    assert told(second) == {("olga", "EMAIL")}
    second.refresh_from_db()
    assert second.notifies
    assert told(happen()) == set()
    preferences.save(dead, {"language": "en"})
    assert told(happen()) == set()
    assert AlertRecord.objects.get().notified_at < second.happened_at


def test_address_of_the_account_counts_too(dead):
    dead.email = "olga@example.com"
    dead.save()
    assert told(happen()) == {("olga", "EMAIL")}


def test_nothing_is_told_anew_while_nothing_has_changed(dead):
    assert [told(happen()) for _ in range(3)] == [set()] * 3
    AlertRecord.objects.update(catch_up_at=db_now() - timedelta(seconds=1))
    assert told(happen()) == set()


def test_channel_that_appears_is_used(dead, settings):
    robot = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot-key-0123456789"
    settings.VIGIL_NOTIFICATIONS = {"WECHAT": {"ENABLED": True, "WEBHOOK_URL": robot}}
    due_at = AlertRecord.objects.get().catch_up_at
    assert timedelta(0) < due_at - db_now() <= timedelta(seconds=fan_out.CATCH_UP_S)
    AlertRecord.objects.update(catch_up_at=db_now())
    assert told(happen()) == {("olga", "WECHAT")}


def test_channel_that_is_switched_on_again_is_used(olga):
    preferences.save(olga, {"email": "olga@example.com", "wechat_enabled": False})
    channel_states.ensure()
    channel_states.set_enabled("EMAIL", False, by="test")
    told(happen())
    end("EMAIL", "DEAD", "CHANNEL_OFF")
    channel_states.set_enabled("EMAIL", True, by="test")
    assert told(happen()) == {("olga", "EMAIL")}


def test_person_who_joins_the_group_is_told(dead):
    anna = make_user("anna")
    anna.groups.add(Group.objects.get(name="team"))
    assert told(happen()) == {("anna", "SYSTEM"), ("anna", "EMAIL")}


def test_refusal_is_tried_again_at_another_address_alone(olga):
    preferences.save(olga, {"email": "wrong@example.com"})
    told(happen())
    end("EMAIL", "DEAD", "REFUSED", address="wrong@example.com")
    preferences.save(olga, {"language": "en"})
    assert told(happen()) == set()
    preferences.save(olga, {"email": "right@example.com"})
    assert told(happen()) == {("olga", "EMAIL")}


def test_alert_that_is_acknowledged_stays_silent(dead):
    lifecycle.acknowledge(AlertRecord.objects.get().pk, by="olga")
    preferences.save(dead, {"email": "olga@example.com"})
    assert told(happen()) == set()


def test_several_occurrences_of_one_batch_tell_once(dead):
    preferences.save(dead, {"email": "olga@example.com"})
    happen()
    preferences.save(dead, {"language": "en"})
    raise_alerts([DISK, DISK])
    fan_out.fan_out_due(at_once_only=False, limit=50)
    assert AlertNotification.objects.filter(channel="EMAIL").exclude(state="DEAD").count() == 1


def test_recovery_is_told_where_the_later_occurrence_was(dead):
    preferences.save(dead, {"email": "olga@example.com"})
    told(happen())
    end("EMAIL", "SENT")
    lifecycle.resolve(AlertRecord.objects.get().pk, by="olga")
    fan_out.fan_out_due(at_once_only=False, limit=50)
    rows = AlertNotification.objects.filter(kind="RESOLVE", state="PENDING")
    assert set(rows.values_list("channel", flat=True)) == {"SYSTEM", "EMAIL"}
