from __future__ import annotations

import pytest

from notifications_app.retries import next_delay_s


@pytest.mark.parametrize(("tries", "minutes"), [(1, 5), (2, 15), (3, 30), (4, 60)])
def test_four_retries_after_growing_pauses(tries, minutes):
    assert next_delay_s(tries) == minutes * 60


def test_fifth_failure_is_the_last():
    assert next_delay_s(5) is None


def test_jitter_moves_by_a_fifth_at_most():
    assert next_delay_s(1, jitter=-1) == pytest.approx(240)
    assert next_delay_s(1, jitter=1) == pytest.approx(360)
