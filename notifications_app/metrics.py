"""Figures of channels and queue, added to the scheduler's two views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count

from notifications_app import owner_findings, selectors
from notifications_app.models import ChannelTally, DeliveryAttempt, GatewayTally
from notifications_app.selectors import ChannelLine
from scheduler_app import metrics, recount
from scheduler_app.exposition import Distribution, counter, gauge, histogram
from scheduler_app.masking import mask
from scheduler_app.models import ScheduledJob
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.selectors import Cells


def connect() -> None:
    metrics.register("notifications", snapshot=snapshot, lines=lines)
    recount.register(
        recount.Figure(
            name="attempts",
            model=ChannelTally,
            keys=("channel", "outcome"),
            rows=lambda: (
                DeliveryAttempt.objects.order_by()
                .values("channel", "outcome")
                .annotate(counted=Count("pk"))
            ),
        )
    )


def snapshot(now: datetime) -> dict[str, Any]:
    """`notification_channels`, in the order of the registry, and `queue`."""
    lines = selectors.channel_lines(now)
    return {
        "notification_channels": [_channel(line) for line in lines],
        "queue": selectors.queue_facts(now),
    }


def lines(now: datetime) -> Iterator[str]:
    """Every channel has every series from the first scrape, at 0 if need be."""
    channels = selectors.channel_lines(now)
    yield from _counts(channels)
    yield from histogram(
        "scheduler_notification_gateway_ms",
        "How long one call of the gateway took, in milliseconds.",
        _distributions(channels, "gateway"),
    )
    yield from histogram(
        "scheduler_notification_latency_ms",
        "From the alert until the gateway accepted the message, in milliseconds.",
        _distributions(channels, "latency"),
    )
    queue = selectors.queue_facts(now)
    yield from _owners()
    yield from gauge(
        "scheduler_notification_workers",
        "Notification workers that are alive.",
        [({}, queue["workers"])],
    )
    yield from gauge(
        "scheduler_notification_oldest_due_seconds",
        "How long the oldest message that is due has waited; 0: none is.",
        [({}, queue["oldest_due_s"])],
    )


def _owners() -> Iterator[str]:
    unreached = owner_findings.unreached()
    jobs = ScheduledJob.objects.order_by("pk").values_list("pk", flat=True)
    yield from gauge(
        "scheduler_owner_unreachable",
        "1 while no channel reaches the owner of the job, or the inbox alone beside channels that are up.",
        [({"job_id": job}, int(job in unreached)) for job in jobs],
    )


def _counts(channels: list[ChannelLine]) -> Iterator[str]:
    yield from counter(
        "scheduler_notification_success_total",
        "Messages that the gateway accepted.",
        [(_labels(line), line.success_count) for line in channels],
    )
    yield from counter(
        "scheduler_notification_failure_total",
        "Attempts that failed.",
        [(_labels(line), line.failure_count) for line in channels],
    )
    yield from counter(
        "scheduler_notification_unusable_total",
        "Messages that ended because their channel was off or not configured.",
        [(_labels(line), line.unusable_count) for line in channels],
    )
    yield from gauge(
        "scheduler_notification_pending",
        "Messages that are due and not sent.",
        [(_labels(line), line.pending) for line in channels],
    )
    yield from gauge(
        "scheduler_notification_channel_up",
        "1 while the channel is switched on and configured.",
        [(_labels(line), int(not line.problem)) for line in channels],
    )


def _labels(line: ChannelLine) -> dict[str, str]:
    return {"channel": line.state.channel}


def _distributions(channels: list[ChannelLine], kind: str) -> Iterator[Distribution]:
    cells: dict[str, Cells] = defaultdict(dict)
    sums: dict[str, float] = defaultdict(float)
    rows = GatewayTally.objects.filter(hour=ALL_TIME, kind=kind)
    for channel, bucket, total, sum_ms in rows.values_list("channel", "bucket", "total", "sum_ms"):
        cells[channel][bucket] = total
        sums[channel] += sum_ms
    for line in channels:
        name = line.state.channel
        yield {"channel": name}, cells[name], sums[name]


def _channel(line: ChannelLine) -> dict[str, Any]:
    state = line.state
    return {
        "channel": state.channel,
        "owner": state.owner,
        "enabled": state.enabled,
        "up": not line.problem,
        "problem": line.problem,
        "paused": line.is_paused,
        "paused_until": metrics.iso(line.pause.paused_until if line.pause else None),
        "pause_reason": line.pause.why if line.pause else "",
        "pending": line.pending,
        "success_count": line.success_count,
        "failure_count": line.failure_count,
        "unusable_count": line.unusable_count,
        "success_rate_24h": line.success_rate_24h,
        "failures_in_a_row": state.failures_in_a_row,
        "gateway_p50_ms": line.gateway_ms(0.50),
        "gateway_p95_ms": line.gateway_ms(0.95),
        "last_success_at": metrics.iso(state.last_success_at),
        "last_failure_at": metrics.iso(state.last_failure_at),
        "last_error": mask(state.last_error),
    }
