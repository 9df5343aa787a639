"""What pages, API and metrics read of channels and queue."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications_app import channel_states, lanes, outbox, queues
from notifications_app.channels import registry
from notifications_app.models import ChannelState, ChannelTally, GatewayTally, LaneState
from notifications_app.states import FAILURE_OUTCOMES, SUCCESS_OUTCOMES, AttemptOutcome
from scheduler_app import nodes
from scheduler_app.histogram import merge, percentile
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.selectors import Cells, window_begin
from scheduler_app.states import NodeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLine:
    """One channel as tables show it: its switches, and attempts since ever and in the last 24 hours.

    Rates, failures and percentiles are those of the gateway.
    """

    state: ChannelState
    problem: str
    totals: Counter[str]
    recent: Counter[str]
    gateway: Cells
    """Histogram (ms) of the calls of the last 24 hours."""
    pending: int
    pause: LaneState | None
    """Of the lane that is paused longest: its gateway asked for it, or its breaker is open."""

    @property
    def is_paused(self) -> bool:
        return self.state.held or self.pause is not None

    @property
    def success_count(self) -> int:
        return _of(self.totals, SUCCESS_OUTCOMES)

    @property
    def failure_count(self) -> int:
        return _of(self.totals, FAILURE_OUTCOMES)

    @property
    def unusable_count(self) -> int:
        """Messages that ended because the channel was off or not configured: no gateway was called."""
        return self.totals[AttemptOutcome.CONFIGURATION]

    @property
    def success_rate_24h(self) -> float | None:
        """From 0 to 1; None when nothing was tried."""
        good, bad = _of(self.recent, SUCCESS_OUTCOMES), _of(self.recent, FAILURE_OUTCOMES)
        return good / (good + bad) if good + bad else None

    def gateway_ms(self, share: float) -> float | None:
        return percentile(self.gateway, share)


def channel_lines(now: datetime) -> list[ChannelLine]:
    """All channels in the order of the registry, in a fixed number of queries."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    recent: dict[str, Counter[str]] = defaultdict(Counter)
    gateway: dict[str, Cells] = defaultdict(dict)
    begin = window_begin(now)
    for row in ChannelTally.objects.filter(hour=ALL_TIME):
        totals[row.channel][row.outcome] += row.total
    for row in ChannelTally.objects.filter(hour__gte=begin):
        recent[row.channel][row.outcome] += row.total
    for cell in GatewayTally.objects.filter(hour__gte=begin, kind="gateway"):
        gateway[cell.channel] = merge([gateway[cell.channel], {cell.bucket: cell.total}])
    states = channel_states.all_states()
    problems = channel_states.with_problems(states)
    pauses = lanes.pauses(now)
    waiting = outbox.backlog(now, registry.names())["by_channel"]
    return [
        ChannelLine(
            state=state,
            problem=problems[state.channel],
            totals=totals[state.channel],
            recent=recent[state.channel],
            gateway=gateway[state.channel],
            pending=waiting[state.channel],
            pause=pauses.get(state.channel),
        )
        for state in states
    ]


def queue_facts(now: datetime) -> dict[str, Any]:
    """The doorbell's length beside the database's backlog, and who works on it."""
    backlog = outbox.backlog(now, registry.names())
    return {
        "mode": queues.mode(),
        "length": queues.length(),
        "backlog": backlog["total"],
        "oldest_due_s": backlog["oldest_due_s"],
        "workers": len(nodes.living(NodeKind.WORKER, now)),
    }


def _of(counts: Counter[str], outcomes: tuple[str, ...]) -> int:
    return sum(counts[outcome] for outcome in outcomes)
