"""P4 over wishes and addresses: what nobody can receive ends with its reason, and what nobody wants is not sent."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta

import pytest

from notifications_app import channel_states, preferences
from notifications_app.models import AlertNotification, DeliveryAttempt, LaneState
from notifications_app.models import NotificationSettings as Wishes
from notifications_app.pages.preferences_form import CHANNELS
from scheduler_app.clock import db_now
from tests.factories import make_notification, make_user
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


NIGHT_H = 6


def night() -> dict[str, object]:
    """Quiet hours that have begun and last for hours."""
    here = db_now()
    return {
        "quiet_start": (here - timedelta(hours=1)).time(),
        "quiet_end": (here + timedelta(hours=NIGHT_H)).time(),
        "timezone": "UTC",
    }


AWAKE = {"quiet_start": None, "quiet_end": None}


def state_of(key: str) -> tuple[str, str]:
    row = AlertNotification.objects.get(recipient_key=key)
    return row.state, row.reason


def test_change_of_preferences_while_messages_wait_counts_within_seconds(site, sink, wait_until):
    awake, off, mild, inactive, gone, moved, stays = people = make_team(7, **night())
    keys = {person.pk: preferences.key_of(person) for person in people}
    tell_team(1)
    assert set(AlertNotification.objects.values_list("reason", flat=True)) == {"QUIET_HOURS"}
    site.env |= channels_env(sink)
    worker = site.worker()
    preferences.save(awake, AWAKE)
    preferences.save(off, {"email_enabled": False})
    preferences.save(mild, {"email_min_severity": "CRITICAL"})
    inactive.is_active = False
    inactive.save()
    key_of_gone, key_of_moved = keys[gone.pk], keys[moved.pk]
    gone.delete()
    preferences.save(moved, {"email": "elsewhere@example.com", **AWAKE})
    wait_until(lambda: state_of(keys[awake.pk]) == ("SENT", ""), 5)
    wait_until(lambda: state_of(keys[off.pk]) == ("SUPPRESSED", "SWITCHED_OFF"), 5)
    wait_until(lambda: state_of(keys[mild.pk]) == ("SUPPRESSED", "BELOW_SEVERITY"), 5)
    wait_until(lambda: state_of(keys[inactive.pk]) == ("SUPPRESSED", "PERSON_GONE"), 5)
    wait_until(lambda: state_of(key_of_gone) == ("SUPPRESSED", "PERSON_GONE"), 5)
    wait_until(lambda: state_of(key_of_moved) == ("SENT", ""), 5)
    assert state_of(keys[stays.pk]) == ("PENDING", "QUIET_HOURS")
    assert {mail.recipient for mail in sink.mails} == {awake.email, "elsewhere@example.com"}
    channel_states.set_enabled("EMAIL", False, by="test")
    wait_until(lambda: ("DEAD", "CHANNEL_OFF") in AlertNotification.objects.filter(
        recipient=stays, channel="EMAIL").values_list("state", "reason"), 8)  # fmt: skip
    assert worker.stop() == 0


def test_change_at_the_moment_of_judgement_is_not_missed(site, sink, wait_until):
    """People switch their quiet hours off while the worker puts their messages off, by what it read a moment before."""
    people = make_team(40)
    channel_states.ensure()
    channel_states.set_held("EMAIL", True, by="test")
    tell_team(1)
    for person in people:
        preferences.save(person, night())
    site.env |= channels_env(sink)
    worker = site.worker()
    channel_states.set_held("EMAIL", False, by="test")
    for person in people:
        preferences.save(person, AWAKE)
    sent = AlertNotification.objects.filter(state="SENT")
    wait_until(lambda: sent.count() == len(people), 10)
    assert worker.stop() == 0


def end_quiet_hours(person):
    preferences.save(person, AWAKE)


def save_account(person):
    person.save()


def switch_off(person):
    channel_states.set_enabled("EMAIL", False, by="test")


@pytest.mark.parametrize("change", [end_quiet_hours, save_account, switch_off])
def test_row_that_is_put_off_before_the_change_is_committed_is_judged_again(
    db, django_capture_on_commit_callbacks, change
):
    person = make_user("olga")
    preferences.save(person, night())
    channel_states.ensure()
    row = make_notification("EMAIL", recipient=person, state="SENDING")
    later = db_now() + timedelta(hours=2)
    with django_capture_on_commit_callbacks(execute=True):
        change(person)
        rows = AlertNotification.objects.filter(pk=row.pk)
        rows.update(state="PENDING", reason="QUIET_HOURS", due_at=later)
    assert AlertNotification.objects.get(pk=row.pk).due_at < db_now() + timedelta(seconds=5)


def test_back_off_and_rows_behind_others_keep_their_time(db):
    person = make_user("olga")
    later = db_now() + timedelta(hours=2)
    quiet = make_notification("EMAIL", recipient=person, due_at=later, reason="QUIET_HOURS")
    back_off = make_notification("EMAIL", recipient=person, due_at=later, state="FAILED")
    paused = make_notification("EMAIL", recipient=person, due_at=later, reason="CHANNEL_PAUSED")
    behind = make_notification(
        "EMAIL", recipient=person, due_at=later, reason="QUIET_HOURS", held_by=quiet
    )
    other = make_notification("EMAIL", due_at=later, reason="QUIET_HOURS")
    preferences.save(person, AWAKE)
    kept = AlertNotification.objects.filter(due_at=later)
    assert set(kept) == {back_off, paused, behind, other}
    person.last_login = db_now()
    AlertNotification.objects.filter(pk=quiet.pk).update(due_at=later)
    person.save(update_fields=["last_login"])
    assert AlertNotification.objects.get(pk=quiet.pk).due_at == later


@pytest.mark.parametrize("door", ["page", "api", "admin"])
def test_each_door_makes_what_waits_due(client, db, door):
    person = make_user("olga", is_staff=True, is_superuser=True)
    preferences.save(person, night())
    later = db_now() + timedelta(hours=2)
    row = make_notification("EMAIL", recipient=person, due_at=later, reason="QUIET_HOURS")
    client.force_login(person)
    form = {
        **{f"{name}_min_severity": "INFO" for name in CHANNELS},
        **{f"{name}_enabled": "on" for name in CHANNELS},
        "quiet_start": "", "quiet_end": "",
    }  # fmt: skip
    if door == "page":
        answer = client.post("/settings/", form)
    elif door == "api":
        answer = client.patch(
            "/api/v1/notifications/settings", AWAKE, content_type="application/json"
        )
    else:
        path = f"/admin/notifications_app/notificationsettings/{person.pk}/change/"
        answer = client.post(path, {**form, "user": person.pk})
    assert answer.status_code in (200, 302), answer.content
    row.refresh_from_db()
    assert row.due_at <= db_now()
