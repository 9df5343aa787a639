from __future__ import annotations

import pytest

from scheduler_app.closest import LONGEST, closest, suggestion


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("import_ordrs", ["import_orders", "export"], "import_orders"),
        ("emial", ["EMAIL", "SMS"], "EMAIL"),
        ("Olga", ["olga", "otto"], "olga"),
        ("nothing-like-it", ["EMAIL", "SMS"], ""),
        (None, ["EMAIL"], ""),
        (3, [], ""),
        ("x" * 100_000, ["x" * LONGEST], "x" * LONGEST),
    ],
)
def test_closest_name_is_found_whatever_its_case(name, known, found):
    assert closest(name, known) == found
    assert suggestion(name, known) == (f"Did you mean {found}?" if found else "")
