"""The days that people entered for calendars, as calendars.py takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from scheduler_app import calendars
from scheduler_app.calendars import Days
from scheduler_app.models import CalendarDay


def entered_for(used: Iterable[str]) -> Days:
    """The days that count for the calendars `used`; without any ("" is none) no query is made."""
    keys = {key for calendar in set(used) if calendar for key in calendars.keys_of(calendar)}
    found: dict[str, dict[date, bool]] = defaultdict(dict)
    if keys:
        rows = CalendarDay.objects.filter(calendar__in=keys).order_by()
        for calendar, day, is_open in rows.values_list("calendar", "day", "is_open"):
            found[calendar][day] = is_open
    return found
