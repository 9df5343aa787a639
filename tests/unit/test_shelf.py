"""How many messages of whom a worker has on their way."""

from __future__ import annotations

from datetime import UTC, datetime

from notifications_app.claims import Claim
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification
from notifications_app.shelf import Chunk, Shelf

MAIL, ROBOT = Lane("EMAIL"), Lane("WECHAT", "robot")


def shelf_of(concurrency: int = 8, threads: int = 8) -> Shelf:
    posts, singly = frozenset({"WECHAT"}), frozenset({"SMS"})
    here = frozenset({"SYSTEM"})
    return Shelf(
        concurrency,
        threads,
        posts=posts,
        one_at_a_time=singly,
        stay_here=here,
        connections={"EMAIL": 4},
    )


def claim_of(lane: Lane, count: int, *, priority: int = 1, **facts: bool) -> Claim:
    rows = [AlertNotification(pk=number) for number in range(count)]
    return Claim(
        lane=lane,
        priority=priority,
        rows=rows,
        token="token",
        claimed_at=datetime.now(UTC),
        claimed_s=0.0,
        **facts,
    )


def put(shelf: Shelf, lane: Lane, count: int = 20, **facts) -> None:
    shelf.put(claim_of(lane, count, **facts), 1e12)


def take_all(shelf: Shelf) -> list[Chunk]:
    """What may be on its way at once."""
    found = []
    while chunk := shelf._next():
        found.append(chunk)
    return found


def test_a_channel_has_half_of_what_may_be_on_its_way():
    shelf = shelf_of(8)
    put(shelf, MAIL)
    assert len(take_all(shelf)) == 4
    put(shelf, Lane("WEBHOOK"))
    assert len(take_all(shelf)) == 4


def test_a_lane_with_a_name_has_a_quarter():
    shelf = shelf_of(8)
    put(shelf, Lane("WEBHOOK", "a"))
    assert len(take_all(shelf)) == 2
    put(shelf, Lane("WEBHOOK", "b"))
    assert len(take_all(shelf)) == 2
    put(shelf, Lane("WEBHOOK", "c"))
    assert take_all(shelf) == []


def test_post_is_one_message_however_many_share_it():
    shelf = shelf_of(8)
    put(shelf, ROBOT, 50)
    (chunk,) = take_all(shelf)
    assert (len(chunk.rows), chunk.weight, shelf.in_flight) == (50, 1, 1)


def test_what_costs_money_goes_out_when_the_last_one_is_stored():
    shelf = shelf_of(32)
    put(shelf, Lane("SMS"))
    (chunk,) = take_all(shelf)
    shelf.sent(chunk, 0.1)
    assert take_all(shelf) == []
    shelf.done([chunk])
    assert len(take_all(shelf)) == 1


def test_what_stays_in_the_database_is_sent_by_the_hundred():
    shelf = shelf_of(2, threads=2)
    put(shelf, Lane("SYSTEM"), 300)
    (chunk,) = take_all(shelf)
    assert (len(chunk.rows), shelf.in_flight, shelf.is_idle()) == (200, 0, False)
    put(shelf, MAIL)
    assert len(take_all(shelf)) == 1
    shelf.sent(chunk, 0.0)
    shelf.done([chunk])
    assert len(take_all(shelf)) == 1


def test_urgent_message_goes_before_those_that_were_there():
    shelf = shelf_of(2)
    put(shelf, MAIL, priority=2)
    put(shelf, MAIL, 1, priority=0)
    (chunk,) = take_all(shelf)
    assert chunk.held.claim.priority == 0


def test_gateway_that_takes_no_time_gets_its_messages_by_the_hundred():
    shelf = shelf_of(256)
    put(shelf, MAIL, 500)
    first = shelf._next()
    assert first
    assert len(first.rows) == 1
    shelf.sent(first, 0.0)
    shelf.done([first])
    assert [len(chunk.rows) for chunk in take_all(shelf)] == [64, 64]


def test_no_more_connections_than_the_gateway_takes():
    shelf = shelf_of(64, threads=32)
    put(shelf, MAIL, 100)
    first, *_others = begun = take_all(shelf)
    assert len(begun) == 4
    shelf.sent(first, 0.01)
    assert [len(chunk.rows) for chunk in take_all(shelf)] == [4]


def test_hold_is_about_what_is_sent_in_a_second():
    shelf = shelf_of(8)
    put(shelf, MAIL)
    (first, *others) = take_all(shelf)
    shelf.sent(first, 0.1)
    assert shelf.wanted(MAIL, 500) == 40
    assert len(others) == 3


def test_removed_rows_are_those_that_nobody_took():
    shelf = shelf_of(2)
    put(shelf, MAIL, 5)
    take_all(shelf)
    (held,) = shelf.waiting()
    assert [row.pk for row in shelf.remove(held)] == [1, 2, 3, 4]
    assert shelf.waiting() == []
    assert not shelf.is_idle()


def test_what_waits_for_a_call_of_its_own_is_next():
    shelf = shelf_of(8)
    put(shelf, ROBOT, 3)
    (chunk,) = take_all(shelf)
    rest = shelf.put_back(chunk, chunk.rows[1:])
    assert [row.pk for row in rest.rows] == [0]
    (other,) = take_all(shelf)
    assert [row.pk for row in other.rows] == [1, 2]
    assert shelf.in_flight == 2
