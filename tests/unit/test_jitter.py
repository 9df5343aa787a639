from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from scheduler_app import jitter

SLOT = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def test_without_jitter_a_run_starts_at_its_slot():
    assert jitter.start_of("a", SLOT, 0.0) is SLOT


def test_same_slot_of_a_job_always_starts_at_the_same_time():
    assert jitter.start_of("a", SLOT, 60.0) == jitter.start_of("a", SLOT, 60.0)
    others = {jitter.start_of("a", SLOT + timedelta(days=n), 60.0).second for n in range(50)}
    assert len(others) > 20


def test_starts_are_spread_evenly_over_the_jitter_and_no_further():
    starts = [jitter.start_of(f"job{n}", SLOT, 10.0) for n in range(10_000)]
    assert min(starts) >= SLOT
    assert max(starts) < SLOT + timedelta(seconds=10)
    in_second = Counter((start - SLOT) // timedelta(seconds=1) for start in starts)
    assert all(850 < in_second[second] < 1150 for second in range(10))
