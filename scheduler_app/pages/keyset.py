"""Lists that grow without end are shown in portions, the newest first; "older" goes on below the last key seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)

PORTION = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion(Generic[Row]):
    """`older` is the key below which the next portion begins; None at the end."""

    rows: list[Row]
    older: int | None
    is_first: bool

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def portion(request: HttpRequest, rows: QuerySet[Row], size: int = PORTION) -> Portion[Row]:
    """The rows of `rows` (whose key is a number) below `?before=`; costs the same at any depth."""
    before = whole_number(request.GET.get("before"))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    more = len(found) > size
    return Portion(
        rows=found[:size], older=found[size - 1].pk if more else None, is_first=before is None
    )


def whole_number(text: str | None) -> int | None:
    """The number that somebody wrote into an address, where it is one that a database takes."""
    if not text or not (text.isascii() and text.isdecimal()) or len(text) > 18:
        return None
    return int(text)
