from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import resolve
from notifications_app import channel_states, fan_out, lanes, preferences, trace
from notifications_app.dispatcher import NotificationDispatcher
from notifications_app.errors import PermanentError, ThrottledError
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, ChannelState
from scheduler_app.clock import db_now
from tests.delivery import claim_one, dispatcher_of
from tests.factories import make_node, make_user
from tests.integration.api.conftest import make_notification
from tests.promises.test_p4_every_notification_ends import FakeChannel as Fake

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _email(settings):
    email = {"ENABLED": True, "SMTP_SERVER": "mail.example.com", "FROM": "vigil@example.com"}
    settings.VIGIL_NOTIFICATIONS = {"EMAIL": email}


def make_row(owner="olga", **alert):
    """The message by e-mail about a new alert of `owner`'s."""
    new = NewAlert(fingerprint="disk", title="Disk full", owner=owner, **alert)
    fan_out.fan_out([raise_alert(new).pk])
    return AlertNotification.objects.get(channel="EMAIL")


def story(row):
    return trace.trace(trace.find(row.pk), db_now())


def texts(row, kind):
    return [step.text for step in story(row).steps if step.kind == kind]


def deliver(row, error):
    """By a worker that gets `error` for an answer, None: it is accepted."""
    channel, worker = Fake(error), make_node().pk
    claim = claim_one(channel)
    assert claim
    (claimed,) = claim.rows
    assert claimed.pk == row.pk
    claimed.worker = worker
    AlertNotification.objects.filter(pk=row.pk).update(worker=worker)
    dispatcher_of(channel).deliver(claim)


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ("olga", "The owner “olga” has the user “olga”."),
        ("olga@example.com", "has the address “olga@example.com”"),
        ("ops", "The owner “ops” has the group “ops”."),
        ("nobody", "The owner “nobody” is nobody; DEFAULT_RECIPIENTS has the user “olga”."),
    ],
)
def test_says_why_this_person(settings, owner, words):
    settings.VIGIL_NOTIFICATIONS = {"DEFAULT_RECIPIENTS": ["olga"]}
    make_user("olga", groups=("ops",))
    (why,) = texts(make_row(owner), "RECIPIENT")
    assert words in why


def test_person_whom_the_owner_does_not_mean_any_more():
    olga = make_user("olga", groups=("ops",))
    row = make_row("ops")
    olga.groups.clear()
    make_user("otto", groups=("ops",))
    assert texts(row, "RECIPIENT") == ["“ops” meant olga then, and does not any more."]
    olga.delete()
    assert texts(row, "RECIPIENT") == ["olga was meant by “ops”; the account is gone."]


def test_goes_from_the_alert_to_the_refusal_of_the_gateway():
    make_user("olga")
    row = make_row()
    deliver(row, PermanentError("550 no such user", code="550", answer="550 password=hidden-1"))
    found = story(row)
    kinds = [step.kind for step in found.steps]
    assert kinds[:4] == ["ALERT", "OCCURRENCE", "RECIPIENT", "FAN_OUT"]
    assert kinds[-2:] == ["ATTEMPT", "END"]
    assert [step.at for step in found.steps] == sorted(step.at for step in found.steps)
    facts = found.steps[-2].facts
    assert (facts["outcome"], facts["code"], facts["answer"]) == (
        "PERMANENT", "550", "550 password=***",
    )  # fmt: skip
    assert facts["worker"].endswith(f"#{AlertNotification.objects.get(pk=row.pk).worker}")
    assert found.steps[-1].text == "given up: refused by the gateway"
    assert found.next == [
        "Nothing, unless somebody sends it again: manage.py notifications requeue " + str(row.pk)
    ]


def test_paused_lane_says_until_when_and_why():
    make_user("olga")
    row = make_row()
    channel_states.ensure()
    deliver(row, ThrottledError("slow down", retry_after_s=600))
    found = story(row)
    assert "because: slow down" in " ".join(found.next)
    assert found.next_at
    assert found.next_at > db_now() + timedelta(seconds=500)


def test_what_waits_says_what_keeps_it_back(settings):
    olga = make_user("olga")
    settings.VIGIL_NOTIFICATIONS = {}
    row = make_row()
    assert any("It will be given up at once: EMAIL is" in text for text in story(row).next)
    system = AlertNotification.objects.get(channel="SYSTEM")
    assert any("No worker is alive" in text for text in story(system).next)
    preferences.save(olga, {"system_enabled": False})
    assert (
        "As things stand it will not go out, but be suppressed: "
        "the person switched this channel off" in story(system).next
    )
    ChannelState.objects.filter(pk="SYSTEM").update(held=True)
    assert story(system).next == ["It waits until an operator lets SYSTEM go on."]


def test_resolve_is_held_by_its_firing():
    make_user("olga")
    row = make_row()
    resolve(row.alert_id, by="olga")
    fan_out.fan_out([row.alert.occurrences.get(kind="RESOLVE").pk])
    follower = AlertNotification.objects.get(channel="EMAIL", kind="RESOLVE")
    assert texts(follower, "HELD") == [f"Follows the firing #{row.pk}, which is: pending."]
    assert story(follower).next == [f"It waits until #{row.pk} has ended."]
    deliver(row, None)
    assert texts(follower, "END") == ["withdrawn: told together with the firing"]
    assert f"The firing #{row.pk} ended: sent." in texts(follower, "HELD")


def test_carried_row_tells_the_attempts_of_its_summary():
    olga = make_user("olga")
    carrier = make_notification(olga, "EMAIL", kind="SUMMARY")
    row = make_notification(olga, "EMAIL", alert=carrier.alert, carried_by=carrier)
    assert story(row).next[0] == f"It goes with the summary #{carrier.pk}."
    assert texts(carrier, "SUMMARY") == [f"Carries 1 message: #{row.pk}"]
    deliver(carrier, PermanentError("550 no"))
    assert texts(row, "SUMMARY") == [f"Part of the summary #{carrier.pk}, which is: given up."]
    (attempt,) = [step for step in story(row).steps if step.kind == "ATTEMPT"]
    assert attempt.facts["notification"] == carrier.pk


def test_fallback_is_told_on_both_sides(settings):
    settings.VIGIL_NOTIFICATIONS = {}
    olga = make_user("olga")
    preferences.save(olga, {"system_min_severity": "CRITICAL"})
    row = make_row()
    NotificationDispatcher().deliver(claim_one(Fake()))
    inbox = AlertNotification.objects.get(channel="SYSTEM")
    assert texts(row, "FALLBACK") == [f"#{inbox.pk} by SYSTEM stands in for it."]
    assert texts(inbox, "FALLBACK") == [f"Stands in for #{row.pk} by EMAIL, which was given up."]


def test_quiet_hours_are_told_while_and_after_it_waits():
    olga = make_user("olga")
    now = db_now()
    begin, end = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    preferences.save(olga, {"quiet_start": begin, "quiet_end": end, "timezone": "UTC"})
    row = make_row()
    (text,) = texts(row, "QUIET_HOURS")
    assert f"{row.due_at:%Y-%m-%d %H:%M}" in text
    assert story(row).next_at == row.due_at
    AlertNotification.objects.filter(pk=row.pk).update(state="SENT", reason="", finished_at=now)
    assert texts(row, "QUIET_HOURS") == [text]


def test_lane_that_a_breaker_closed_is_seen_in_the_trace():
    make_user("olga")
    row = make_row()
    channel_states.ensure()
    with transaction.atomic():
        lanes.note_failures(Lane("EMAIL"), 3, "no answer", db_now(), is_probe=False)
    assert any("breaker: no answer" in text for text in story(row).next)
