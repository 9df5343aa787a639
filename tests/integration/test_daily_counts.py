"""Daily caps: booked before a message leaves, over all workers."""

from __future__ import annotations

import pytest

from alerts_app.models import AlertRecord
from notifications_app.daily_caps import DailyCaps
from notifications_app.errors import DeliveryError, UnknownOutcomeError
from notifications_app.models import AlertNotification, DailyCount
from tests.channels import FakeChannel
from tests.delivery import claim_one, dispatcher_of
from tests.factories import make_notification, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class Paid(FakeChannel):
    daily_caps = DailyCaps(per_person=2, total=3)


def send(channel: FakeChannel, person) -> AlertNotification:
    row = make_notification("EMAIL", recipient=person)
    claim = claim_one(channel)
    assert claim
    dispatcher_of(channel).deliver(claim)
    row.refresh_from_db()
    return row


def totals() -> dict[str, int]:
    return dict(DailyCount.objects.values_list("person", "total"))


def test_person_gets_no_more_than_the_cap_and_then_hears_in_app():
    channel, olga = Paid(), make_user("olga")
    ends = [send(channel, olga) for _ in range(3)]
    assert [row.state for row in ends] == ["SENT", "SENT", "DEAD"]
    assert ends[2].reason == "DAILY_CAP"
    assert "DAILY_CAP_PER_PERSON" in ends[2].error_message
    assert len(channel.sent) == 2
    assert (
        AlertNotification.objects.filter(channel="SYSTEM", occurrence=ends[2].occurrence).count()
        == 1
    )


def test_all_together_get_no_more_than_the_cap_of_the_channel():
    channel = Paid()
    ends = [send(channel, make_user(f"p{number}")).state for number in range(5)]
    assert ends == ["SENT"] * 3 + ["DEAD"] * 2
    assert totals()[""] == 3


def test_cap_that_is_reached_is_told_once_by_other_channels():
    channel, olga = Paid(), make_user("olga")
    for _ in range(4):
        send(channel, olga)
    alert = AlertRecord.objects.get(source="CHANNEL")
    assert (alert.title, alert.occurrence_count) == ("EMAIL reached its daily cap", 1)


def test_what_certainly_did_not_leave_is_not_counted():
    channel, olga = Paid(DeliveryError("busy")), make_user("olga")
    assert send(channel, olga).state == "FAILED"
    assert totals() == {"": 0, f"user:{olga.pk}": 0}


def test_what_may_have_left_is_counted():
    channel, olga = Paid(UnknownOutcomeError("no answer")), make_user("olga")
    send(channel, olga)
    assert totals() == {"": 1, f"user:{olga.pk}": 1}
