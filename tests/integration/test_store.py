"""When the loop looks again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app import claims, store

NOW = datetime(2026, 11, 28, tzinfo=UTC)


class Still(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


@pytest.fixture
def slots(monkeypatch):
    monkeypatch.setattr(store, "datetime", Still)
    return store.SlotStore(lambda: None)


@pytest.mark.parametrize(
    ("due_in_ms", "looks_in_ms"), [(1, 1), (300, 300), (5000, 500), (0, 50), (-20, 50), (None, 500)]
)
def test_looks_when_the_next_is_due_but_at_least_twice_a_second(
    slots, monkeypatch, due_in_ms, looks_in_ms
):
    due = None if due_in_ms is None else NOW + timedelta(milliseconds=due_in_ms)
    monkeypatch.setattr(claims, "next_due", lambda: due)
    assert slots.get_next_run_time() - NOW == timedelta(milliseconds=looks_in_ms)
