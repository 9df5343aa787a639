from __future__ import annotations

import pytest

from scheduler_app.durations import spell_ms, spell_s


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (0, "0 ms"),
        (0.07937199961816077, "0.08 ms"),
        (79.37199961816077, "79 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (1234, "1.2 s"),
        (9949, "9.9 s"),
        (9960, "10 s"),
        (59_400, "59 s"),
        (59_600, "1 min"),
        (200_000, "3 min 20 s"),
        (3_599_700, "1 h"),
        (7_500_000, "2 h 5 min"),
        (86_399_000, "24 h"),
        (100 * 3_600_000, "4 d 4 h"),
        (-79.3, "-79 ms"),
    ],
)
def test_durations_are_written_as_people_do(value_ms, text):
    assert spell_ms(value_ms) == text


def test_seconds_are_the_same():
    assert spell_s(0.079) == "79 ms"
    assert spell_s(200) == "3 min 20 s"
