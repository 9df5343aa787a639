"""Lists that grow without end are shown in portions, the newest first; "older" goes on below the last key seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)

PORTION = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion(Generic[Row]):
    """`older` is the key below which the next portion begins; None at the end."""

    rows: list[Row]
    older: str | None
    is_first: bool

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def portion(
    request: HttpRequest, rows: QuerySet[Row], size: int = PORTION, *, first: Q | None = None
) -> Portion[Row]:
    """The rows of `rows` (whose key is a number) below `?before=`, those that are `first` before all others.

    Costs the same at any depth.
    """
    before = request.GET.get("before")
    found, older = below(rows, before, size, first=first)
    return Portion(rows=found, older=older, is_first=position(before) is None)


def below(
    rows: QuerySet[Row], before: str | None, size: int, *, first: Q | None = None
) -> tuple[list[Row], str | None]:
    """`size` rows below the position `before`, and the position that goes on behind them (None: there are no more).

    A position is a key, in the second of two groups with a dash before it.
    """
    at = position(before)
    groups = [rows] if first is None else [rows.filter(first), rows.exclude(first)]
    found: list[Row] = []
    ends: list[str] = []
    for number, group in enumerate(groups):
        if at and number < at.group:
            continue
        if at and number == at.group:
            group = group.filter(pk__lt=at.key)
        part = list(group.order_by("-pk")[: size + 1 - len(found)])
        found += part
        ends += [f"{'-' * number}{row.pk}" for row in part]
        if len(found) > size:
            return found[:size], ends[size - 1]
    return found, None


class Position(NamedTuple):
    group: int
    key: int


def position(text: str | None) -> Position | None:
    """The position that an address names; None for what is none."""
    key = whole_number((text or "").removeprefix("-"))
    return None if key is None else Position(int((text or "").startswith("-")), key)


def whole_number(text: str | None) -> int | None:
    """The number that somebody wrote into an address, where it is one that a database takes."""
    if not text or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        return None
    return int(text)
