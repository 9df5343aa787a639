"""What a range with a step means, compared with a reference of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_app.cron_fields import large_steps
from scheduler_app.timetable import Schedule, canonical

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def values(cron: str, part: str) -> set[int]:
    """The values of one field that the slots of four years show."""
    span = timedelta(hours=1) if part == "minute" else timedelta(days=1)
    span = span if part in ("minute", "hour") else timedelta(days=4 * 366)
    schedule = Schedule(canonical(cron))
    slots = schedule.between(BEGIN - timedelta(minutes=1), BEGIN + span - timedelta(minutes=1))
    if part == "weekday":
        return {slot.isoweekday() % 7 for slot in slots}
    return {getattr(slot, part) for slot in slots}


@pytest.mark.parametrize("first", [*range(5), *range(53, 60)])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 59, 60, 61])
def test_range_of_minutes_steps_from_its_first_to_its_last_value(first, step):
    for last in range(first, min(first + 8, 60)):
        wanted = set(range(first, last + 1, step))
        assert values(f"{first}-{last}/{step} * * * *", "minute") == wanted


@pytest.mark.parametrize(
    ("part", "form", "least", "most"),
    [("hour", "0 {} * * *", 0, 23), ("day", "0 0 {} * *", 1, 31), ("month", "0 0 1 {} *", 1, 12),
     ("weekday", "0 0 * * {}", 0, 6)],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 2, 5])
def test_so_do_hours_days_and_months(part, form, least, most, step):
    for first in {least, least + 1, most - 1, most}:
        for last in {first, min(first + 3, most), most}:
            wanted = set(range(first, last + 1, step))
            assert values(form.format(f"{first}-{last}/{step}"), part) == wanted


@pytest.mark.parametrize(
    ("minute", "wanted"),
    [
        ("53-53/2", {53}),
        ("59-59/1", {59}),
        ("10-10", {10}),
        ("5/15", {5, 20, 35, 50}),
        ("*/7", set(range(0, 60, 7))),
        ("1,53-53/2,58-58/90", {1, 53, 58}),
    ],
)
def test_minutes(minute, wanted):
    assert values(f"{minute} * * * *", "minute") == wanted


@pytest.mark.parametrize(
    ("weekday", "wanted"),
    [("MON-MON/2", {1}), ("MON-1/3", {1}), ("7-7/2", {0}), ("SUN-0/2", {0}), ("5-7", {5, 6, 0})],
)
def test_names_and_sunday_as_seven(weekday, wanted):
    assert values(f"0 0 * * {weekday}", "weekday") == wanted


@pytest.mark.parametrize(
    ("cron", "found"),
    [
        ("*/90 * * * *", ["*/90"]),
        ("0 */25 * * *", ["*/25"]),
        ("0 0 */32 * *", ["*/32"]),
        ("0 0 1 */13 *", ["*/13"]),
        ("0 0 * * */8", ["*/8"]),
        ("10-20/30 * * * *", ["10-20/30"]),
        ("0,*/90 * * * *", ["*/90"]),
        ("*/60 */24 */31 */12 */7", []),
        ("*/7 5/15 * * MON-FRI", []),
    ],
)
def test_steps_larger_than_what_they_step_through_are_found(cron, found):
    assert [term for _field, term, _span in large_steps(cron)] == found
