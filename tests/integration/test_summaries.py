"""Many messages to one person become one: in a storm, after a pause, and when the quiet hours end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts_app.intake import NewAlert, raise_alert, raise_alerts
from alerts_app.lifecycle import resolve
from alerts_app.models import AlertRecord
from notifications_app import claims, outbox
from notifications_app.errors import DeliveryError, PermanentError
from notifications_app.models import AlertNotification, NotificationSettings
from scheduler_app.clock import db_now
from tests.channels import FakeChannel
from tests.delivery import claim_one, dispatcher_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = AlertNotification.objects.filter(channel="EMAIL")


@pytest.fixture(autouse=True)
def olga(settings):
    settings.VIGIL_NOTIFICATIONS = settings.VIGIL_NOTIFICATIONS | {"STORM": "3/minute"}
    user = make_user("olga")
    NotificationSettings.objects.create(user=user, wechat_enabled=False)
    return user


def alarm(number: int, severity: str = "ERROR") -> None:
    raise_alert(
        NewAlert(
            fingerprint=f"disk{number}", title=f"Disk {number}", severity=severity, owner="olga"
        )
    )


def storm(count: int = 8) -> AlertNotification:
    """`count` alerts at once; returns the row that carries those above the limit."""
    for number in range(count):
        alarm(number)
    return MAIL.get(kind="SUMMARY")


def send_all(channel: FakeChannel) -> None:
    """Everything, as if its time had come."""
    waiting = MAIL.filter(state__in=("PENDING", "FAILED"), held_by=None, carried_by=None)
    while waiting.exists():
        waiting.update(due_at=db_now())
        claim = claim_one(channel, 50)
        assert claim
        for row in claim.rows:  # a call for each, so that each has its answer
            dispatcher = dispatcher_of(channel)
            dispatcher.deliver(claims.Claim(**{**as_dict(claim), "rows": [row]}))
        if channel.stops:
            return


def as_dict(claim: claims.Claim) -> dict:
    return {name: getattr(claim, name) for name in claims.Claim.__slots__}


class Channel(FakeChannel):
    stops = False


def test_storm_is_three_messages_and_a_summary():
    carrier = storm()
    assert MAIL.filter(carried_by=carrier).count() == 5
    assert carrier.due_at - carrier.created_at == timedelta(seconds=60)
    channel = Channel()
    send_all(channel)
    assert [message.kind for message in channel.sent] == ["fire"] * 3 + ["summary"]
    assert channel.sent[-1].subject == "[SUMMARY] 5 alerts, 5 still open"
    assert channel.sent[-1].body.splitlines()[0].startswith("[ERROR] Disk ")
    carried = MAIL.filter(carried_by=carrier)
    assert set(carried.values_list("state", "reason")) == {("SENT", "IN_SUMMARY")}


def test_storm_that_is_raised_by_one_batch_is_the_same():
    news = [
        NewAlert(fingerprint=f"disk{n}", title=f"Disk {n}", severity=severity, owner="olga")
        for n, severity in enumerate(["ERROR"] * 2 + ["CRITICAL"] + ["ERROR"] * 5)
    ]
    raise_alerts(news)
    assert MAIL.filter(carried_by__isnull=False).count() == 5
    assert MAIL.get(severity="CRITICAL").carried_by is None


def test_inbox_keeps_them_one_by_one():
    storm()
    assert AlertNotification.objects.filter(channel="SYSTEM", kind="FIRE").count() == 8
    assert not AlertNotification.objects.filter(channel="SYSTEM", kind="SUMMARY").exists()


def test_critical_comes_by_itself_in_a_storm():
    storm()
    alarm(99, "CRITICAL")
    assert MAIL.get(severity="CRITICAL").carried_by is None


def test_one_who_is_alone_in_a_summary_is_told_as_itself():
    storm(4)
    channel = Channel()
    send_all(channel)
    assert channel.sent[-1].subject == "[ERROR] Disk 3"


def test_summary_that_went_out_is_followed_by_the_next():
    carrier = storm(5)
    MAIL.filter(pk=carrier.pk).update(state="SENDING")
    alarm(10)
    alarm(11)
    assert MAIL.filter(kind="SUMMARY").count() == 2


def test_carried_rows_end_as_their_carrier_ends():
    carrier = storm()
    channel = Channel(None, None, None, PermanentError("no such user"))
    send_all(channel)
    assert set(MAIL.filter(carried_by=carrier).values_list("state", "reason")) == {
        ("DEAD", "REFUSED")
    }
    assert outbox.requeue([carrier.pk], by="olga") == 6
    send_all(Channel())
    assert set(MAIL.values_list("state", flat=True)) == {"SENT"}


def test_carried_rows_wait_while_their_carrier_is_tried_again():
    carrier = storm()
    channel = Channel(None, None, None, DeliveryError("busy"))
    channel.stops = True
    send_all(channel)
    carrier.refresh_from_db()
    assert carrier.state == "FAILED"
    assert set(MAIL.filter(carried_by=carrier).values_list("state", flat=True)) == {"PENDING"}


def test_one_carried_row_can_be_given_another_life():
    carrier = storm()
    send_all(Channel(None, None, None, PermanentError("no such user")))
    first = MAIL.filter(carried_by=carrier).earliest("pk")
    assert outbox.requeue([first.pk], by="olga") == 1
    first.refresh_from_db()
    assert first.carried_by is None
    send_all(Channel())
    first.refresh_from_db()
    assert first.state == "SENT"


def test_summary_says_what_is_over_and_its_resolve_follows_no_more():
    carrier = storm()
    carried = MAIL.filter(carried_by=carrier).earliest("pk")
    resolve(carried.alert_id, by="olga")
    behind = MAIL.get(kind="RESOLVE")
    assert behind.held_by == carried
    channel = Channel()
    send_all(channel)
    assert "4 still open" in channel.sent[-1].subject
    assert "resolved" in channel.sent[-1].body
    behind.refresh_from_db()
    assert (behind.state, behind.reason) == ("WITHDRAWN", "TOLD_WITH_FIRING")


def test_person_who_switched_off_gets_no_summary():
    storm()
    NotificationSettings.objects.update(email_enabled=False)
    channel = Channel()
    send_all(channel)
    assert channel.sent == []
    assert set(MAIL.values_list("state", flat=True)) == {"SUPPRESSED"}


def test_what_is_too_mild_is_left_out_of_the_summary():
    for number in range(3):
        alarm(number)
    alarm(10, "WARNING")
    alarm(11)
    alarm(12)
    NotificationSettings.objects.update(email_min_severity="ERROR")
    channel = Channel()
    send_all(channel)
    assert channel.sent[-1].subject.startswith("[SUMMARY] 2 alerts")
    assert MAIL.get(severity="WARNING", kind="FIRE").reason == "BELOW_SEVERITY"


def test_summary_of_which_nothing_is_left_is_withdrawn():
    carrier = storm(5)
    MAIL.filter(carried_by=carrier).update(expires_at=db_now())
    channel = Channel()
    send_all(channel)
    carrier.refresh_from_db()
    assert (carrier.state, carrier.reason) == ("WITHDRAWN", "NOTHING_LEFT")
    assert set(MAIL.filter(carried_by=carrier).values_list("reason", flat=True)) == {"EXPIRED"}


def test_channel_that_comes_back_tells_its_backlog_in_one():
    for number in range(3):
        alarm(number)
    alarm(3, "CRITICAL")
    MAIL.update(due_at=db_now() - timedelta(hours=1))
    channel = Channel()
    for _ in range(2):
        claim = claim_one(channel, 50)
        assert claim
        dispatcher_of(channel).deliver(claim)
    assert [message.severity for message in channel.sent] == ["CRITICAL"]
    send_all(channel)
    assert [message.subject for message in channel.sent[1:]] == ["[SUMMARY] 3 alerts, 3 still open"]


def test_what_was_resolved_in_the_quiet_hours_is_one_line_in_the_morning():
    here = db_now()
    NotificationSettings.objects.update(
        quiet_start=(here - timedelta(hours=1)).time(),
        quiet_end=(here + timedelta(hours=1)).time(),
        timezone="UTC",
    )
    for number in range(3):
        alarm(number)
    assert set(MAIL.values_list("reason", flat=True)) == {"QUIET_HOURS"}
    for alert in AlertRecord.objects.exclude(title="Disk 0"):
        resolve(alert.pk, by="olga")
    NotificationSettings.objects.update(quiet_start=None, quiet_end=None)
    channel = Channel()
    send_all(channel)
    assert [message.subject for message in channel.sent] == [
        "[ERROR] Disk 0",
        "[SUMMARY] 2 alerts, 0 still open",
    ]
    ended = set(MAIL.filter(kind="RESOLVE").values_list("state", flat=True))
    assert ended == {"WITHDRAWN"}
