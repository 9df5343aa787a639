from __future__ import annotations

import pytest

from notifications_app.daily_caps import DailyCaps

CAPS = DailyCaps(per_person=3, total=10)


@pytest.mark.parametrize(
    ("to_person", "to_all", "names"),
    [(2, 9, ""), (3, 9, "DAILY_CAP_PER_PERSON"), (0, 10, "DAILY_CAP "), (9, 99, "DAILY_CAP ")],
)
def test_cap_that_is_reached_is_named(to_person, to_all, names):
    said = CAPS.refusal(to_person=to_person, to_all=to_all)
    assert names in said
    assert bool(said) == bool(names)


def test_without_caps_nothing_is_refused():
    assert DailyCaps().refusal(to_person=10**6, to_all=10**9) == ""
