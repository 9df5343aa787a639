from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.frames import Inbox, packed

MESSAGES = st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=5)


@given(MESSAGES, st.integers(1, 50))
def test_messages_arrive_whole_however_they_are_cut(messages, size):
    inbox, arrived = Inbox(), []
    data = b"".join(packed(**one) for one in messages)
    for start in range(0, len(data), size):
        arrived += inbox.take(data[start : start + size])
    assert arrived == messages


@given(st.integers(0, 30))
def test_message_that_was_torn_spoils_no_other(cut):
    data = packed(say="first")[:cut] + packed(say="second")
    arrived = list(Inbox().take(data))
    assert arrived[-1] == {"say": "second"}


def test_line_that_is_no_message_is_passed_over():
    assert list(Inbox().take(b'[1]\n"x"\nnonsense\n\xff\n')) == []
