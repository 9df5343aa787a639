"""How pages write durations, shares, times and states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from scheduler_app.states import RunState
from scheduler_app.templatetags.vigil import LOOKS, ago, badge, duration, rate, when

NOON = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (None, "–"), ("", "–"), (0, "0 ms"), (840.4, "840 ms"), (3210, "3.2 s"), (42_000, "42 s"),
        (59_700, "1 min"), (125_000, "2 min 5 s"), (3_840_000, "1 h 4 min"),
    ],
)  # fmt: skip
def test_durations_have_the_unit_that_fits(value_ms, text):
    assert duration(value_ms) == text


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (1, "100 %"), (0.9999, "99.9 %"), (0.5, "50 %"), (0, "0 %")]
)
def test_a_share_is_100_percent_only_where_nothing_is_missing(share, text):
    assert rate(share) == text


@time_machine.travel(NOON, tick=False)
def test_a_time_is_short_and_has_its_zones_in_the_title():
    with timezone.override("Asia/Shanghai"):
        today, other = when(NOON), when(NOON - timedelta(days=2))
        last_year = when(NOON - timedelta(days=400))
    assert ">20:00:00<" in today
    assert 'title="2026-11-05 20:00:00 · 2026-11-05 12:00:00 UTC"' in today
    assert 'datetime="2026-11-05T12:00:00Z"' in today
    assert ">11-03 20:00<" in other
    assert ">2025-10-01 20:00<" in last_year


@time_machine.travel(NOON, tick=False)
def test_how_long_ago_is_said_in_one_unit():
    assert ">4 min ago<" in ago(NOON - timedelta(seconds=250))
    assert ">in 2 h<" in ago(NOON + timedelta(hours=2))
    assert ">3 days ago<" in ago(NOON - timedelta(days=3))


def test_every_state_has_icon_word_and_colour():
    assert set(RunState.values) <= set(LOOKS)
    shown = badge("FAILED", "<failed>")
    assert "vg-bad" in shown
    assert "#cross" in shown
    assert "&lt;failed&gt;" in shown
