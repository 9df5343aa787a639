from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.following import LEFT_OUT, Follower
from scheduler_app.output import OutputBuffer


@given(st.lists(st.text(max_size=30)))
def test_pieces_make_the_whole(pieces):
    follower, text = Follower(), ""
    shown = ""
    for piece in pieces:
        text += piece
        shown += follower.new(text)
    assert shown == text


def test_nothing_is_shown_twice_when_the_middle_is_left_out():
    buffer, follower = OutputBuffer(2000), Follower()
    shown = ""
    for number in range(1000):
        buffer.write(f"line {number}\n")
        shown += follower.new(buffer.text())
    assert shown == "".join(f"line {number}\n" for number in range(1000))


def test_gap_between_two_looks_is_said():
    buffer, follower = OutputBuffer(2000), Follower()
    buffer.write("first\n")
    assert follower.new(buffer.text()) == "first\n"
    for number in range(1000):
        buffer.write(f"line {number}\n")
    head = follower.new(buffer.text())
    assert head.startswith("line 0\n")
    for number in range(1000, 2000):
        buffer.write(f"line {number}\n")
    rest = follower.new(buffer.text())
    assert rest.startswith(LEFT_OUT)
    assert rest.endswith("line 1999\n")
    assert "line 0\n" not in rest


def test_text_that_was_masked_later_goes_on_behind_it():
    follower = Follower()
    follower.new("a" * 300 + "token=ab")
    assert follower.new("a" * 300 + "token=***\nnext") == LEFT_OUT + "***\nnext"
