"""Figures of the channels, kept beside the attempts in their transaction (promise P6)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from notifications_app.models import ChannelTally, GatewayTally
from scheduler_app import bulk
from scheduler_app.histogram import bucket_of
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.rollups import hour_of

Cells = dict[tuple[str, str, datetime, int], list[float]]


def count(
    attempts: Sequence[Mapping[str, Any]],
    births: Sequence[tuple[str, datetime]] = (),
    accepted_at: datetime | None = None,
) -> None:
    """Book attempts (columns of DeliveryAttempt) that were just written, and how long messages took until they were
    accepted: `births` has channel and birth of each. Calls of a gateway count in its histogram as well.
    """
    counts: Counter[tuple[datetime, str, str]] = Counter()
    cells: Cells = defaultdict(lambda: [0, 0.0])
    for attempt in attempts:
        hour = hour_of(attempt["started_at"])
        counts[hour, attempt["channel"], attempt["outcome"]] += 1
        if value_ms := attempt["gateway_ms"]:
            _count(cells, attempt["channel"], "gateway", hour, value_ms)
    for channel, created_at in births:
        assert accepted_at is not None
        elapsed_ms = max((accepted_at - created_at).total_seconds() * 1000, 0.0)
        _count(cells, channel, "latency", hour_of(accepted_at), elapsed_ms)
    for (_hour, channel, outcome), total in list(counts.items()):
        counts[ALL_TIME, channel, outcome] += total
    bulk.add_to(
        ChannelTally,
        [
            {"hour": hour, "channel": channel, "outcome": outcome, "total": total}
            for (hour, channel, outcome), total in counts.items()
        ],
        keys=("hour", "channel", "outcome"),
        sums=("total",),
    )
    _add(cells)


def _count(cells: Cells, channel: str, kind: str, hour: datetime, value_ms: float) -> None:
    cell = cells[channel, kind, hour, bucket_of(value_ms)]
    cell[0] += 1
    cell[1] += value_ms


def _add(cells: Cells) -> None:
    """Each for its hour, and for all time."""
    for (channel, kind, _hour, bucket), (total, sum_ms) in list(cells.items()):
        cell = cells[channel, kind, ALL_TIME, bucket]
        cell[0] += total
        cell[1] += sum_ms
    bulk.add_to(
        GatewayTally,
        [
            {
                "channel": channel,
                "kind": kind,
                "hour": hour,
                "bucket": bucket,
                "total": int(total),
                "sum_ms": sum_ms,
            }
            for (channel, kind, hour, bucket), (total, sum_ms) in cells.items()
        ],
        keys=("hour", "channel", "kind", "bucket"),
        sums=("total", "sum_ms"),
    )
