from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.errors import ParameterError
from scheduler_app.moments import moment

NOW = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", NOW),
        ("24h", NOW - timedelta(days=1)),
        ("7 d ago", NOW - timedelta(days=7)),
        ("90 min", NOW - timedelta(minutes=90)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        (" 2026-11-01T10:00+08:00 ", datetime(2026, 11, 1, 2, tzinfo=UTC)),
    ],
)
def test_times_as_people_type_them(text, meant):
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "3 moons", "2026-13-01", "999999999d"])
def test_what_is_no_time_says_what_to_write(text):
    with pytest.raises(ParameterError, match="write 24h"):
        moment(text, NOW)
