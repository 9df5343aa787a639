"""P4 over wishes and addresses: what nobody can receive ends with its reason, and what nobody wants is not sent."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta

import pytest

from notifications_app import channel_states
from notifications_app.models import AlertNotification, DeliveryAttempt, LaneState
from notifications_app.models import NotificationSettings as Wishes
from scheduler_app.clock import db_now
from tests.gateways import SmtpSink
from tests.story import channels_env, make_team, tell_team

pytestmark = pytest.mark.timeout(300)

PEOPLE = 1000 if os.environ.get("VIGIL_TEST_LONG") else 200
BAD = ("", "no-at-sign", "two@at@example.com", "a b@example.com", "x@example.com\r\nBcc: y@z.org")


@pytest.fixture
def sink():
    with SmtpSink() as one:
        yield one


def test_addresses_that_are_none_end_and_hold_up_nobody(site, sink, wait_until):
    people = make_team(PEOPLE)
    few = PEOPLE // 20
    bad, refused, good = people[: -2 * few], people[-2 * few : -few], people[-few:]
    for number, person in enumerate(bad):
        person.email = BAD[number % len(BAD)]
    type(people[0]).objects.bulk_update(bad, ["email"])
    sink.replies = {person.email: "550 5.1.1 no such user" for person in refused}
    site.env |= channels_env(sink)
    tell_team(1)
    worker = site.worker("--concurrency", "8")
    wait_until(lambda: not AlertNotification.objects.filter(finished_at=None).exists(), 60)
    assert worker.stop() == 0
    found = Counter(AlertNotification.objects.values_list("state", "reason"))
    assert found == {
        ("SENT", ""): len(good),
        ("DEAD", "NO_ADDRESS"): len(bad) // len(BAD),
        ("DEAD", "REFUSED"): len(bad) - len(bad) // len(BAD) + len(refused),
    }
    dead = AlertNotification.objects.filter(state="DEAD")
    assert not dead.filter(error_message="").exists()
    assert not dead.filter(tries__gt=1).exists()
    assert {mail.recipient for mail in sink.mails} == {person.email for person in good}
    assert not LaneState.objects.filter(openings__gt=0).exists()
    assert DeliveryAttempt.objects.exclude(outcome__in=("SENT", "PERMANENT")).count() == 0


def test_wishes_that_change_between_queueing_and_sending_are_kept(site, sink, wait_until):
    off, quiet, awake, stays = (people := make_team(4))
    here = db_now()
    night = {
        "quiet_start": (here - timedelta(hours=1)).time(),
        "quiet_end": (here + timedelta(hours=2)).time(),
        "timezone": "UTC",
    }
    day = {"quiet_start": None, "quiet_end": None}
    Wishes.objects.filter(user=awake).update(**night)
    channel_states.ensure()
    channel_states.set_held("EMAIL", True, by="test")
    tell_team(1)
    Wishes.objects.filter(user=off).update(email_enabled=False)
    Wishes.objects.filter(user=quiet).update(**night)
    Wishes.objects.filter(user=awake).update(**day)
    site.env |= channels_env(sink)
    worker = site.worker()
    channel_states.set_held("EMAIL", False, by="test")

    def state(person):
        row = AlertNotification.objects.get(recipient=person)
        return row.state, row.reason

    wait_until(lambda: state(stays) == ("SENT", ""), 10)
    wait_until(lambda: state(off) == ("SUPPRESSED", "SWITCHED_OFF"), 10)
    wait_until(lambda: state(quiet) == ("PENDING", "QUIET_HOURS"), 10)
    ends = AlertNotification.objects.get(recipient=quiet).due_at - here
    assert timedelta(hours=1, minutes=59) < ends <= timedelta(hours=2)
    AlertNotification.objects.filter(recipient=awake).update(due_at=db_now())  # its night is over
    wait_until(lambda: state(awake)[0] == "SENT", 10)
    assert worker.stop() == 0
    assert len(people) == AlertNotification.objects.count()
    assert {mail.recipient for mail in sink.mails} == {stays.email, awake.email}
