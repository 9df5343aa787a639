"""Lists in pages: the newest first, each page below the last key of the one before. Nothing is ever counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from scheduler_app.api.inputs import Input

LIMIT = 50
LONGEST = 200
GREATEST_ID = 2**63 - 1
ID = "[0-9]{1,18}"
"""How an id looks in an address: as many digits as every database takes."""

Row = TypeVar("Row", bound=Model)


class Limit(Input):
    limit = serializers.IntegerField(default=LIMIT, min_value=1, max_value=LONGEST)


class PageQuery(Limit):
    before = serializers.IntegerField(
        required=False, min_value=1, max_value=GREATEST_ID, help_text="Only rows below this id."
    )


class Page(serializers.Serializer[Any]):
    """Subclasses add `results`."""

    next = serializers.URLField(allow_null=True, help_text="The next page; null on the last one.")


def page_of(
    request: Request, rows: QuerySet[Row], query: dict[str, Any]
) -> tuple[list[Row], str | None]:
    """The rows of one page, the highest id first, and the address of the next page."""
    if "before" in query:
        rows = rows.filter(pk__lt=query["before"])
    return cut(request, rows.order_by("-pk")[: query["limit"] + 1], query["limit"], key="before")


def cut(
    request: Request, found: Sequence[Row] | QuerySet[Row], limit: int, *, key: str
) -> tuple[list[Row], str | None]:
    """The first `limit` of the rows, and the address that goes on behind them where there is one more."""
    rows = list(found)
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    return rows, replace_query_param(request.build_absolute_uri(), key, str(rows[-1].pk))
