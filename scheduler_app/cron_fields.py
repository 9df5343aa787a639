"""The five fields of a cron expression: their bounds, their names and the forms of their terms (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

RANGE = re.compile(r"(?P<first>\w+)-(?P<last>\w+)(?:/(?P<step>[0-9]+))?")
STEP = re.compile(r"(?P<base>\*|\w+-\w+)/(?P<step>[0-9]+)")


@dataclass(frozen=True, slots=True)
class CronField:
    """A field takes whole numbers from `least` to `most`; the first of `names` stands for `least`."""

    title: Promise
    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """The number that `text` stands for, even one out of bounds; None when it is no number or name."""
        if text in self.names:
            return self.names.index(text) + self.least
        return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None

    def allows(self, number: int) -> bool:
        return self.least <= number <= self.most

    @property
    def size(self) -> int:
        """How many different values there are; 0 and 7 are both Sunday."""
        return len(self.names) or self.most - self.least + 1


MINUTE = CronField(gettext_lazy("minute"), 0, 59)
HOUR = CronField(gettext_lazy("hour"), 0, 23)
DAY = CronField(gettext_lazy("day of month"), 1, 31)
MONTH = CronField(
    gettext_lazy("month"),
    1,
    12,
    ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
WEEKDAY = CronField(
    gettext_lazy("day of week"), 0, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def single_values(cron: str) -> str:
    """`cron` with each range of one value and a step, such as `53-53/2`, written as that value.

    Debian's cron takes it so; cronsim counts from the value to the end of the field.
    """
    return " ".join(
        ",".join(_single_value(field, term) for term in part.split(","))
        for field, part in zip(FIELDS, cron.split(), strict=True)
    )


def _single_value(field: CronField, term: str) -> str:
    match = RANGE.fullmatch(term)
    if not match or not match["step"] or not int(match["step"][:9]):
        return term
    first = field.number(match["first"])
    return match["first"] if first is not None and first == field.number(match["last"]) else term


def large_steps(cron: str) -> Iterator[tuple[CronField, str, int]]:
    """Each field with a term whose step is larger than the span that it steps through, and the size of that span."""
    for field, part in zip(FIELDS, cron.split(), strict=True):
        for term in part.split(","):
            if match := STEP.fullmatch(term):
                span = _span(field, match["base"])
                if span and int(match["step"]) > span:
                    yield field, term, span


def _span(field: CronField, base: str) -> int:
    if base == "*":
        return field.size
    first, last = map(field.number, base.split("-"))
    return last - first + 1 if first is not None and last is not None else 0
