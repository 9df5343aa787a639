"""A figure of ours beside a peer's, and the goal that it is held against (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Figures = Mapping[str, float]
"""What one run of one side came to, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Bounds that all have to hold: `least` and `most` of our figure, `ratio_*` of ours / peer's."""

    least: float | None = None
    most: float | None = None
    ratio_least: float | None = None
    ratio_most: float | None = None

    def is_met(self, ours: float, ratio: float | None) -> bool:
        """A bound of the ratio is not met where there is no peer's figure."""
        return _within(ours, self.least, self.most) and _within(
            ratio, self.ratio_least, self.ratio_most
        )

    def __str__(self) -> str:
        parts = (
            self.ratio_least is not None and f"≥ {self.ratio_least:g} × peer",
            self.ratio_most is not None and _at_most(self.ratio_most),
            self.least is not None and f"≥ {self.least:,g}",
            self.most is not None and f"≤ {self.most:,g}",
        )
        return ", ".join(part for part in parts if part)


def _at_most(ratio: float) -> str:
    return f"≤ 1/{1 / ratio:g} of peer" if ratio < 1 else f"≤ {ratio:g} × peer"


def _within(value: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    if value is None or math.isnan(value):
        return False
    return (least is None or value >= least) and (most is None or value <= most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of the report."""

    name: str
    unit: str
    ours: float
    goal: Goal
    peer: float | None = None
    peer_name: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours / peer's; None without a peer."""
        return self.ours / self.peer if self.peer else None

    @property
    def ok(self) -> bool:
        return self.goal.is_met(self.ours, self.ratio)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer,
            "peer_name": self.peer_name,
            "ratio": self.ratio,
            "goal": str(self.goal),
            "ok": self.ok,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The least of `values` that at least `share` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def medians(runs: Sequence[Figures]) -> dict[str, float]:
    """The median of each figure over `runs`, which all have the same figures."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


def take_turns(runs: int, *sides: Callable[[], Figures]) -> list[dict[str, float]]:
    """Run every side `runs` times, one after the other in each round; the medians of each side."""
    rounds = [[side() for side in sides] for _ in range(runs)]
    return [medians(side) for side in zip(*rounds, strict=True)]
