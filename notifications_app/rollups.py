"""Figures of the channels, kept beside the attempts in their transaction (promise P6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from notifications_app.models import ChannelTally, DeliveryAttempt, GatewayTally
from scheduler_app import bulk
from scheduler_app.histogram import bucket_of
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.rollups import hour_of


def count_attempts(attempts: Sequence[DeliveryAttempt]) -> None:
    """Book attempts that were just written; calls of a gateway count in its histogram as well."""
    counts: Counter[tuple[datetime, str, str]] = Counter()
    for attempt in attempts:
        for hour in (ALL_TIME, hour_of(attempt.started_at)):
            counts[hour, attempt.channel, attempt.outcome] += 1
        if attempt.gateway_ms:
            _count_value(attempt.channel, "gateway", attempt.gateway_ms, attempt.started_at)
    bulk.add_to(
        ChannelTally,
        [
            {"hour": hour, "channel": channel, "outcome": outcome, "total": total}
            for (hour, channel, outcome), total in counts.items()
        ],
        keys=("hour", "channel", "outcome"),
        sums=("total",),
    )


def count_latency(channel: str, created_at: datetime, accepted_at: datetime) -> None:
    """Book how long a message took from its birth until the gateway accepted it."""
    elapsed_ms = max((accepted_at - created_at).total_seconds() * 1000, 0.0)
    _count_value(channel, "latency", elapsed_ms, accepted_at)


def _count_value(channel: str, kind: str, value_ms: float, moment: datetime) -> None:
    cell = {"channel": channel, "kind": kind, "bucket": bucket_of(value_ms), "total": 1}
    bulk.add_to(
        GatewayTally,
        [{**cell, "hour": hour, "sum_ms": value_ms} for hour in (ALL_TIME, hour_of(moment))],
        keys=("hour", "channel", "kind", "bucket"),
        sums=("total", "sum_ms"),
    )
