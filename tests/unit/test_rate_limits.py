"""A rate limit holds in every span of its length, and is used up where there is enough to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app.rate_limits import RateLimit

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "count", "window_s"),
    [("20/minute", 20, 60.0), ("1/second", 1, 1.0), ("500/day", 500, 86_400.0)],
)
def test_words_are_read(text, count, window_s):
    assert RateLimit.parse(text) == RateLimit(count, window_s)


def test_no_words_are_no_limit():
    assert RateLimit.parse("") is None


@given(
    count=st.integers(1, 40),
    pauses_s=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    wanted=st.integers(1, 50),
)
def test_no_window_ever_holds_more(count, pauses_s, wanted):
    limit = RateLimit(count, 60.0)
    now, spent_until, calls = BEGIN, None, []
    for pause_s in pauses_s:
        now += timedelta(seconds=pause_s)
        free = min(limit.free(spent_until, now), wanted)
        spent_until = limit.spend(spent_until, now, free)
        calls += [now] * free
    for first in calls:
        last = first + timedelta(seconds=60)
        assert sum(first <= call < last for call in calls) <= count


@given(count=st.integers(1, 60))
def test_whoever_asks_when_it_is_free_is_let_through(count):
    limit = RateLimit(count, 60.0)
    spent_until = limit.spend(None, BEGIN, limit.burst)
    assert limit.free(spent_until, BEGIN) == 0
    assert limit.free(spent_until, limit.free_at(spent_until)) == 1


def test_limit_is_used_up_within_its_window():
    limit, now, calls, spent_until = RateLimit(20, 60.0), BEGIN, 0, None
    while now < BEGIN + timedelta(seconds=60):
        free = limit.free(spent_until, now)
        spent_until = limit.spend(spent_until, now, free)
        calls += free
        now += timedelta(seconds=0.25)
    assert calls == 20
