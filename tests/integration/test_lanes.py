"""Lanes: what is claimed from which, in which order, and what closes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications_app import claims, lanes
from notifications_app.errors import DeliveryError, PermanentError, ThrottledError
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, LaneState
from scheduler_app.clock import db_now
from tests.channels import FakeChannel
from tests.delivery import board_of, claim_one, dispatcher_of
from tests.factories import make_notification

pytestmark = pytest.mark.django_db(transaction=True)


class Busy(FakeChannel):
    """Twenty calls a minute."""

    usual_rate_limit = "20/minute"


def send(channel: FakeChannel, most: int = 1) -> list[AlertNotification]:
    claim = claim_one(channel, most)
    assert claim, "nothing may be claimed"
    dispatcher_of(channel).deliver(claim)
    return list(AlertNotification.objects.in_bulk([row.pk for row in claim.rows]).values())


def make_due() -> None:
    waiting = AlertNotification.objects.filter(finished_at=None)
    waiting.update(due_at=db_now() - timedelta(seconds=1))


def open_breaker(channel: FakeChannel) -> None:
    """Three failures in a row open it."""
    channel.answers = [DeliveryError("busy")] * 3
    for _ in range(3):
        make_notification("EMAIL")
        send(channel)
    assert LaneState.objects.get().openings == 1


def let_time_pass() -> None:
    LaneState.objects.update(paused_until=db_now() - timedelta(seconds=1))


def test_groups_are_all_that_wait_each_with_its_first_due_time():
    soon, later = db_now(), db_now() + timedelta(hours=1)
    make_notification("EMAIL", due_at=later)
    make_notification("EMAIL", due_at=soon)
    make_notification("WEBHOOK", lane="a.example", severity="CRITICAL", due_at=later)
    make_notification("WEBHOOK", lane="b.example", flow=7, due_at=soon)
    make_notification("EMAIL", state="SENT")
    make_notification("EMAIL", lost_claims=1)
    found = {(g.lane, g.priority, g.flow, g.due_at) for g in lanes.groups()}
    assert found == {
        (Lane("EMAIL"), 1, 0, soon),
        (Lane("WEBHOOK", "a.example"), 0, 0, later),
        (Lane("WEBHOOK", "b.example"), 1, 7, soon),
    }


def test_nothing_waits():
    assert lanes.groups() == []


def test_critical_goes_before_whatever_waited_longer():
    for _ in range(5):
        make_notification("EMAIL")
    urgent = make_notification("EMAIL", severity="CRITICAL")
    claim = claim_one(FakeChannel(), 10)
    assert claim
    assert [row.pk for row in claim.rows] == [urgent.pk]


def test_flood_of_one_sender_leaves_room_for_the_others():
    for _ in range(20):
        make_notification("EMAIL", flow=1)
    others = [make_notification("EMAIL", flow=2).pk for _ in range(3)]
    claim = claim_one(FakeChannel(), 10)
    assert claim
    chosen = [row.pk for row in claim.rows]
    assert len(chosen) == 10
    assert set(others) <= set(chosen)


def test_share_that_a_flow_does_not_use_goes_to_the_next():
    make_notification("EMAIL", flow=1)
    for _ in range(20):
        make_notification("EMAIL", flow=2)
    claim = claim_one(FakeChannel(), 10)
    assert claim
    assert len(claim.rows) == 10


def test_throttled_lane_holds_up_no_other():
    channel = FakeChannel(ThrottledError("slow down", retry_after_s=300))
    channel.lane = lambda address, topic=None: "a"  # type: ignore[method-assign]
    make_notification("EMAIL", lane="a")
    other = make_notification("EMAIL", lane="b")
    assert send(channel)[0].reason == "CHANNEL_PAUSED"
    make_due()
    claim = claim_one(channel, 10)
    assert claim
    assert [row.pk for row in claim.rows] == [other.pk]


def test_row_whose_target_changed_moves_to_the_other_lane():
    row = make_notification("EMAIL", lane="old.example")
    channel = FakeChannel()
    (moved,) = send(channel)
    assert (moved.state, moved.lane, channel.sent) == ("PENDING", "", [])
    assert send(channel)[0].state == "SENT"
    assert row.pk == moved.pk


def test_breaker_opens_after_three_failures_and_asks_with_one_message():
    channel = FakeChannel()
    open_breaker(channel)
    make_due()
    assert claim_one(channel) is None
    let_time_pass()
    make_notification("EMAIL")
    claim = claim_one(channel, 10)
    assert claim
    assert (len(claim.rows), claim.is_probe) == (1, True)
    assert claim_one(channel, 10) is None  # one probe at a time, whoever asks


def test_breaker_closes_when_the_probe_arrives():
    channel = FakeChannel()
    open_breaker(channel)
    let_time_pass()
    make_due()
    assert send(channel)[0].state == "SENT"
    claim = claim_one(channel, 10)
    assert claim
    assert (len(claim.rows), claim.is_probe) == (2, False)


def test_gateway_that_refuses_a_message_is_alive():
    channel = FakeChannel()
    open_breaker(channel)
    let_time_pass()
    make_due()
    channel.answers = [PermanentError("no such user")]
    assert send(channel)[0].state == "DEAD"
    assert LaneState.objects.get().openings == 0


def test_failed_probe_burns_no_try_and_lengthens_the_pause():
    channel = FakeChannel()
    open_breaker(channel)
    pauses = []
    for _ in range(6):
        let_time_pass()
        make_due()
        channel.answers = [DeliveryError("still busy")]
        begin = db_now()
        (probe,) = send(channel)
        until = LaneState.objects.get().paused_until
        assert until
        pauses.append(round((until - begin).total_seconds() / 30))
        assert probe.tries == 1
    assert pauses == [2, 4, 8, 16, 20, 20]


def test_limit_holds_over_all_who_claim():
    channel = Busy()
    for _ in range(30):
        make_notification("EMAIL")
    claims = [claim_one(channel, 3) for _ in range(5)]
    assert [len(claim.rows) for claim in claims if claim] == [3, 2]


def test_used_up_limit_says_when_the_lane_opens():
    channel = Busy()
    for _ in range(30):
        make_notification("EMAIL")
    assert claim_one(channel, 30)
    board = board_of(channel)
    assert board.open_lanes() == {}
    next_s = board.next_due_s()
    assert next_s is not None
    assert 2.5 < next_s <= 3.75


def test_paid_calls_survive_the_limit_and_not_a_throttle():
    channel = Busy()
    for _ in range(30):
        make_notification("EMAIL")
    claim = claim_one(channel, 30)
    assert claim
    assert board_of(channel).may_send(claim)
    lanes.pause(claim.lane, 60, "slow down", db_now())
    assert not board_of(channel).may_send(claim)


def test_post_counts_once_in_its_limit():
    channel = Busy()
    channel.batch_by_group = True  # type: ignore[misc]
    first = make_notification("EMAIL")
    for number in range(9):
        make_notification("EMAIL", occurrence=first.occurrence, recipient_key=f"other:{number}")
    for _ in range(3):
        make_notification("EMAIL")
    sizes = [len(claim.rows) for _ in range(6) if (claim := claim_one(channel, 50))]
    assert sizes == [10, 1, 1, 1]


def test_operator_opens_a_lane_again():
    channel = FakeChannel()
    open_breaker(channel)
    make_due()
    assert lanes.resume("EMAIL", by="test") == 1
    claim = claim_one(channel, 10)
    assert claim
    assert not claim.is_probe


def test_what_is_given_back_keeps_what_is_known_of_it():
    make_notification("EMAIL", state="UNKNOWN")
    claim = claim_one(FakeChannel())
    assert claim
    assert claims.give_back(claim.rows, claim.token) == 1
    assert AlertNotification.objects.get().state == "UNKNOWN"
