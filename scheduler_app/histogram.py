"""Histograms of milliseconds: fine geometric buckets inside, the usual 1-2-5 bounds outside.

Neighbouring bounds are at most 9.1 % apart, so that a percentile read off a bucket's geometric middle is within
5 % of the true one. Every power of ten times 1, 2 and 5 is a bound, so that coarse buckets are sums of fine ones.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

LOWEST_MS = 1.0
DECADES = 8  # 1 ms to 10^8 ms, about 28 hours


def _bounds() -> tuple[float, ...]:
    steps = ((1.0, 2.0, 8), (2.0, 5.0, 11), (5.0, 10.0, 8))
    bounds = [
        decade * low * (high / low) ** (step / count)
        for decade in (LOWEST_MS * 10**power for power in range(DECADES))
        for low, high, count in steps
        for step in range(count)
    ]
    return (*(float(f"{bound:.6g}") for bound in bounds), LOWEST_MS * 10**DECADES)


BOUNDS = _bounds()
"""Upper bounds (inclusive) of the buckets 0 to len(BOUNDS) - 1; the bucket len(BOUNDS) has the rest."""

EXPORTED_MS = (
    5,
    10,
    50,
    100,
    500,
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    20_000_000,
)
"""The bounds shown to Prometheus, in milliseconds; with +Inf there are fifteen."""


def bucket_of(value_ms: float) -> int:
    """The bucket that counts `value_ms`; zero and less go to the first."""
    return bisect_left(BOUNDS, value_ms)


def percentile(cells: Mapping[int, int], share: float) -> float | None:
    """The value in ms below which `share` of the counted values lie; None when nothing is counted."""
    total = sum(cells.values())
    if not total:
        return None
    wanted, seen = math.ceil(share * total), 0
    for bucket in sorted(cells):
        seen += cells[bucket]
        if seen >= wanted:
            return _middle(bucket)
    raise AssertionError("the last bucket reaches the total")


def _middle(bucket: int) -> float:
    if bucket == 0:
        return LOWEST_MS / 2
    if bucket >= len(BOUNDS):
        return BOUNDS[-1]
    return float(f"{math.sqrt(BOUNDS[bucket - 1] * BOUNDS[bucket]):.3g}")


def cumulative(
    cells: Mapping[int, int], bounds: Sequence[float] = EXPORTED_MS
) -> list[tuple[float, int]]:
    """(upper bound in ms, number of values up to it) for each exported bound and for infinity."""
    rows, seen, done = [], 0, -1
    for bound in bounds:
        last = bucket_of(bound)
        seen += sum(cells.get(bucket, 0) for bucket in range(done + 1, last + 1))
        rows.append((float(bound), seen))
        done = last
    return [*rows, (math.inf, sum(cells.values()))]


def merge(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The histogram of all values counted in `parts`."""
    merged: dict[int, int] = {}
    for part in parts:
        for bucket, count in part.items():
            merged[bucket] = merged.get(bucket, 0) + count
    return merged
