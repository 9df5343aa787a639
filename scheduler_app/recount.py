"""Compares totals with the rows that they count (promise P6): total = rows + pruned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.db.models import F, QuerySet, Sum, Value

from scheduler_app import bulk
from scheduler_app.models import JobRun, RunTally
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.states import FINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Totals in `model` (columns `hour`, `keys`, `total`, `pruned`) and the rows that they count.

    `rows()` gives `keys` and `counted` by group, without an order.
    """

    name: str
    model: type[models.Model]
    keys: tuple[str, str]
    rows: Callable[[], QuerySet[Any, Any]]

    def totals(self) -> QuerySet[Any]:
        return self.model._default_manager.filter(hour=ALL_TIME).order_by()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A total that is not what its rows say."""

    figure: str
    key: tuple[str, str]
    shown: int
    true: int


_figures: dict[str, Figure] = {}


def register(figure: Figure) -> None:
    """Let an app above have its totals compared as well."""
    _figures[figure.name] = figure


def differences() -> list[Difference]:
    """Every total that is wrong. True while others write: each figure is compared within one statement."""
    return [found for figure in _figures.values() for found in _compare(figure)]


def fix() -> list[Difference]:
    """Put right what is wrong, in one transaction; returns what was.

    The difference is added, not the sum written, so that what others count in the meantime is kept.
    """
    found = []
    with transaction.atomic():
        for figure in _figures.values():
            # whoever else fixes waits here, and then finds nothing
            list(figure.totals().order_by("pk").select_for_update().values_list("pk"))
            wrong = _compare(figure)
            _add(figure, wrong)
            found += wrong
    return found


def _compare(figure: Figure) -> list[Difference]:
    shown: Counter[tuple[str, str]] = Counter()
    pruned: Counter[tuple[str, str]] = Counter()
    kept: Counter[tuple[str, str]] = Counter()
    zero = Value(0, output_field=models.BigIntegerField())
    totals = figure.totals().values_list(*figure.keys, "total", "pruned", zero)
    rows = figure.rows().values_list(*figure.keys, zero, zero, F("counted"))
    for first, second, total, gone, counted in totals.union(rows, all=True):
        shown[first, second] += total
        pruned[first, second] += gone
        kept[first, second] += counted
    return [
        Difference(figure=figure.name, key=key, shown=shown[key], true=pruned[key] + kept[key])
        for key in sorted(shown.keys() | kept.keys())
        if shown[key] != pruned[key] + kept[key]
    ]


def _add(figure: Figure, wrong: list[Difference]) -> None:
    bulk.add_to(
        figure.model,
        [
            {
                "hour": ALL_TIME,
                **dict(zip(figure.keys, found.key, strict=True)),
                "total": found.true - found.shown,
            }
            for found in wrong
        ],
        keys=("hour", *figure.keys),
        sums=("total",),
    )


def _runs() -> QuerySet[Any, Any]:
    final = JobRun.objects.filter(state__in=FINAL_STATES).order_by()
    return final.values("job_id", "state").annotate(counted=Sum("slot_count"))


register(Figure(name="runs", model=RunTally, keys=("job", "state"), rows=_runs))
