"""P4: every notification ends, or is due at a known time, held, or leased by a living worker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.lifecycle import resolve
from alerts_app.models import AlertRecord
from notifications_app import channel_states, claims, fallback, outbox, preferences
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    NotAskedError,
    PermanentError,
    PolicyError,
    ThrottledError,
    UnknownOutcomeError,
)
from notifications_app.models import (
    AlertNotification,
    ChannelState,
    DeliveryAttempt,
    LaneState,
    NotificationSettings,
)
from notifications_app.outbox import ORPHAN_AFTER_S
from scheduler_app.clock import db_now
from tests.channels import FakeChannel
from tests.delivery import claim_one, dispatcher_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def olga():
    user = make_user("olga")
    NotificationSettings.objects.create(user=user, system_enabled=False, wechat_enabled=False)
    return user


@pytest.fixture
def row(olga):
    raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
    return AlertNotification.objects.get()


def deliver(channel: FakeChannel) -> AlertNotification:
    """One claim and delivery, as a worker does it."""
    claim = claim_one(channel)
    assert claim, "nothing is due"
    dispatcher_of(channel).deliver(claim)
    return AlertNotification.objects.get(pk=claim.rows[0].pk)


def make_due() -> None:
    AlertNotification.objects.exclude(state="SENT").update(due_at=db_now() - timedelta(seconds=1))


def test_accepted_message_is_sent_and_its_attempt_is_kept(row):
    sent = deliver(FakeChannel(None))
    assert (sent.state, sent.address, sent.tries) == ("SENT", "olga@example.com", 1)
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.outcome, attempt.gateway_ms) == ("SENT", 5.0)


def test_transient_errors_are_tried_five_times_and_then_given_up(row, settings):
    settings.VIGIL_NOTIFICATIONS = settings.VIGIL_NOTIFICATIONS | {"BREAKER_AFTER": 99}
    channel = FakeChannel(*[DeliveryError("busy")] * 5)
    states = []
    for _ in range(5):
        make_due()
        states.append(deliver(channel).state)
    assert states == ["FAILED"] * 4 + ["DEAD"]
    row.refresh_from_db()
    assert (row.reason, row.error_message) == ("TRIES_USED_UP", "busy")
    assert DeliveryAttempt.objects.count() == 5


@pytest.mark.parametrize(
    ("error", "state", "reason", "tries"),
    [
        (PermanentError("no such user"), "DEAD", "REFUSED", 1),
        (ConfigurationError("key revoked"), "PENDING", "CHANNEL_REFUSED", 0),
        (PolicyError("relaying denied"), "FAILED", "CHANNEL_REFUSED", 1),
        (ThrottledError("slow down", retry_after_s=30), "PENDING", "CHANNEL_PAUSED", 0),
        (UnknownOutcomeError("no answer"), "UNKNOWN", "", 1),
    ],
)
def test_errors_say_what_follows(row, error, state, reason, tries):
    ended = deliver(FakeChannel(error))
    assert (ended.state, ended.reason, ended.tries) == (state, reason, tries)
    assert ended.error_message == str(error)
    assert (ended.finished_at is None) == (state != "DEAD")


def test_paid_channel_never_sends_again_what_may_have_arrived(row):
    channel = FakeChannel(UnknownOutcomeError("no answer"))
    channel.resends_unknown = False  # type: ignore[misc]
    assert deliver(channel).reason == "OUTCOME_UNKNOWN"


def test_throttled_lane_pauses_as_long_as_it_was_asked(row):
    channel = FakeChannel(ThrottledError("slow down", retry_after_s=300))
    deliver(channel)
    make_due()
    assert claim_one(channel) is None
    LaneState.objects.update(paused_until=db_now())
    assert deliver(channel).state == "SENT"


def test_message_for_which_no_time_was_left_is_due_again_and_nobody_is_blamed(row):
    channel = FakeChannel(*[NotAskedError("No time was left for this message.")] * 5)
    for _ in range(5):
        waiting = deliver(channel)
        assert (waiting.state, waiting.tries, waiting.attempts.count()) == ("PENDING", 0, 0)
        assert waiting.due_at <= db_now()
    assert not LaneState.objects.exists()
    assert deliver(channel).state == "SENT"


def test_message_of_a_channel_that_is_gone_ends_and_is_told_in_app(row):
    AlertNotification.objects.update(channel="PIGEON")
    fallback.help_orphans()
    row.refresh_from_db()
    assert row.state == "PENDING"  # another process may know the channel
    AlertNotification.objects.update(due_at=db_now() - timedelta(seconds=ORPHAN_AFTER_S + 1))
    fallback.help_orphans()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("DEAD", "CHANNEL_OFF")
    assert row.error_message == "There is no channel PIGEON any more."
    in_app = AlertNotification.objects.get(channel="SYSTEM")
    assert (in_app.state, in_app.recipient_id) == ("PENDING", row.recipient_id)


def test_broken_configuration_is_told_in_app(row):
    deliver(FakeChannel(ConfigurationError("key revoked")))
    in_app = AlertNotification.objects.get(channel="SYSTEM")
    assert (in_app.state, in_app.reason) == ("PENDING", "CHANNEL_OFF")


def test_missing_address_ends_at_once(row, olga):
    olga.email = ""
    olga.save()
    ended = deliver(FakeChannel())
    assert (ended.state, ended.reason) == ("DEAD", "NO_ADDRESS")
    assert ended.error_message == "no e-mail address set for olga"


def test_person_who_switched_off_meanwhile_is_not_bothered(row, olga):
    NotificationSettings.objects.update(email_enabled=False)
    channel = FakeChannel()
    assert deliver(channel).state == "SUPPRESSED"
    assert channel.sent == []


def test_person_who_left_is_not_written_to(row, olga):
    olga.delete()
    channel = FakeChannel()
    assert (deliver(channel).reason, channel.sent) == ("PERSON_GONE", [])


def test_quiet_hours_set_meanwhile_are_obeyed(row):
    here = db_now()
    NotificationSettings.objects.update(
        quiet_start=(here - timedelta(hours=1)).time(),
        quiet_end=(here + timedelta(hours=1)).time(),
        timezone="UTC",
    )
    waiting = deliver(FakeChannel())
    assert (waiting.state, waiting.reason) == ("PENDING", "QUIET_HOURS")
    assert timedelta(minutes=58) < waiting.due_at - here < timedelta(minutes=62)


def test_firing_in_quiet_hours_is_due_at_their_end(olga):
    here = db_now()
    NotificationSettings.objects.update(
        quiet_start=(here - timedelta(hours=1)).time(),
        quiet_end=(here + timedelta(hours=1)).time(),
        timezone="UTC",
    )
    raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
    row = AlertNotification.objects.get()
    assert row.due_at == preferences.quiet_until(preferences.of(olga), "ERROR", here)
    assert claim_one(FakeChannel()) is None


def lose(channel: FakeChannel) -> None:
    """A worker dies with the message."""
    make_due()
    assert claim_one(channel)
    AlertNotification.objects.update(lease_until=db_now() - timedelta(seconds=1))
    assert outbox.sweep() == 1


def test_message_is_quarantined_when_its_worker_died_of_it_alone_three_times(row):
    channel = FakeChannel()
    for losses in range(1, 4):
        lose(channel)
        row.refresh_from_db()
        assert (row.state, row.lost_claims) == ("PENDING", losses)
        claim = claim_one(channel)
        assert claim
        assert (claim.is_suspect, claim.is_alone) == (True, losses > 1)
        assert len(claim.rows) == 1
        claims.give_back(claim.rows, claim.token)
    lose(channel)
    row.refresh_from_db()
    assert (row.state, row.reason) == ("DEAD", "QUARANTINED")


def test_worker_that_lost_its_lease_changes_nothing(row):
    channel = FakeChannel(DeliveryError("late"))
    mine = claim_one(channel)
    assert mine
    AlertNotification.objects.update(lease_until=db_now() - timedelta(seconds=1))
    outbox.sweep()
    theirs = claim_one(channel)
    assert theirs
    dispatcher_of(channel).deliver(mine)
    row.refresh_from_db()
    assert (row.state, row.lease_token) == ("SENDING", theirs.token)
    assert DeliveryAttempt.objects.get().was_late


def test_expired_message_is_not_sent(row):
    AlertNotification.objects.update(expires_at=db_now() - timedelta(seconds=1))
    channel = FakeChannel()
    assert (deliver(channel).reason, channel.sent) == ("EXPIRED", [])


def test_resolve_follows_its_firing_and_never_goes_before_it(row):
    resolve(AlertRecord.objects.get().pk, by="olga")
    held = AlertNotification.objects.get(kind="RESOLVE")
    assert held.held_by_id == row.pk
    deliver(FakeChannel(DeliveryError("busy")))
    assert claim_one(FakeChannel()) is None  # both wait for the retry
    make_due()
    channel = FakeChannel(None)
    deliver(channel)
    assert channel.sent[0].subject.startswith("[RESOLVED]")  # fired and over, in one
    held.refresh_from_db()
    assert (held.state, held.reason) == ("WITHDRAWN", "TOLD_WITH_FIRING")


def test_resolve_of_a_firing_that_never_arrived_is_withdrawn(row):
    resolve(AlertRecord.objects.get().pk, by="olga")
    deliver(FakeChannel(PermanentError("no such user")))
    held = AlertNotification.objects.get(kind="RESOLVE")
    assert (held.state, held.reason) == ("WITHDRAWN", "FIRING_UNTOLD")


def test_resolve_after_the_firing_was_sent_goes_out(row):
    channel = FakeChannel(None, None)
    deliver(channel)
    resolve(AlertRecord.objects.get().pk, by="olga")
    deliver(channel)
    assert [message.kind for message in channel.sent] == ["fire", "resolve"]


def test_dead_message_has_all_its_tries_again_when_it_is_requeued(row):
    deliver(FakeChannel(PermanentError("no such user")))
    assert outbox.requeue([row.pk], by="olga") == 1
    assert deliver(FakeChannel(None)).state == "SENT"


def test_held_channel_lets_nothing_out_and_loses_nothing(row):
    channel_states.ensure()
    channel_states.set_held("EMAIL", True, by="olga")
    assert claim_one(FakeChannel()) is None
    channel_states.set_held("EMAIL", False, by="olga")
    assert deliver(FakeChannel(None)).state == "SENT"


def test_probe_that_asked_nobody_lets_the_next_one_ask(row):
    past = db_now() - timedelta(seconds=1)
    LaneState.objects.create(channel="EMAIL", openings=1, failures_in_a_row=3, paused_until=past)
    NotificationSettings.objects.update(email_enabled=False)
    assert deliver(FakeChannel()).state == "SUPPRESSED"
    lane = LaneState.objects.get()
    assert (lane.openings, lane.paused_until <= db_now()) == (1, True)


def test_failures_that_were_on_their_way_when_the_breaker_opened_open_it_no_further(row, settings):
    settings.VIGIL_NOTIFICATIONS = settings.VIGIL_NOTIFICATIONS | {"BREAKER_AFTER": 1}
    raise_alert(NewAlert(fingerprint="cpu", title="CPU busy", owner="olga"))
    channel = FakeChannel(*[DeliveryError("busy")] * 3)
    claims = [claim_one(channel), claim_one(channel)]
    for claim in claims:
        dispatcher_of(channel).deliver(claim)
    lane = LaneState.objects.get()
    assert (lane.openings, lane.failures_in_a_row) == (1, 2)
    LaneState.objects.update(paused_until=db_now())
    make_due()
    deliver(channel)
    assert LaneState.objects.get().openings == 2


def test_no_transaction_is_open_while_a_gateway_is_called(row):
    from django.db import connection

    seen = []
    channel = FakeChannel(None)
    real = channel.send
    channel.send = lambda messages: seen.append(connection.in_atomic_block) or real(messages)  # type: ignore[method-assign]
    deliver(channel)
    assert seen == [False]


def test_failures_of_a_channel_are_noted_for_its_page(row):
    deliver(FakeChannel(PermanentError("no such user")))
    state = ChannelState.objects.get(pk="EMAIL")
    assert (state.failures_in_a_row, state.last_error) == (1, "no such user")
