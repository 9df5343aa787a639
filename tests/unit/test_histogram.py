from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.histogram import (
    BOUNDS,
    EXPORTED_MS,
    bucket_of,
    cumulative,
    merge,
    percentile,
)

DURATIONS = st.floats(min_value=1, max_value=1e8, exclude_min=True)


def cells_of(values: list[float]) -> dict[int, int]:
    return dict(Counter(bucket_of(value) for value in values))


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_percentile_is_within_five_percent(values, share):
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    assert percentile(cells_of(values), share) == pytest.approx(true, rel=0.05)


@given(st.lists(st.floats(min_value=0, max_value=1e9), max_size=200))
def test_exported_buckets_count_exactly_what_lies_below_their_bounds(values):
    for bound, count in cumulative(cells_of(values)):
        assert count == sum(value <= bound for value in values)


def test_every_exported_bound_is_a_fine_bound():
    assert set(EXPORTED_MS) <= set(BOUNDS)


def test_at_most_fifteen_buckets_are_exported():
    assert len(cumulative({})) <= 15


def test_nothing_counted_has_no_percentile():
    assert percentile({}, 0.5) is None


@pytest.mark.parametrize("value_ms", [-5, 0, 0.2, 1])
def test_what_is_not_above_a_millisecond_is_in_the_first_bucket(value_ms):
    assert bucket_of(value_ms) == 0


def test_what_is_longer_than_the_last_bound_is_counted_too():
    assert cumulative(cells_of([1e12]))[-1] == (math.inf, 1)
    assert percentile(cells_of([1e12]), 0.5) == BOUNDS[-1]


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_merged_histogram_is_that_of_all_values(first, second):
    assert merge([cells_of(first), cells_of(second)]) == cells_of(first + second)
