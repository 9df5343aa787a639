"""What waits to be sent, why, and until when: by channel and lane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min

from notifications_app.lane_lines import LaneLine, lane_lines
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification
from notifications_app.models.notifications import WAITING
from notifications_app.rate_limits import RateLimit
from notifications_app.states import NotificationState, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Messages of one lane that wait for the same."""

    lane: Lane
    count: int
    why: str
    is_due: bool
    """Their time has come, and something keeps them back."""
    next_at: datetime | None
    """When the first of them may go out; None: nobody knows."""
    last_at: datetime | None


def all_waiting(now: datetime) -> list[Waiting]:
    """In a fixed number of queries; those that are due first, in the order of the registry."""
    due = [_kept_back(line) for line in lane_lines(now) if line.due]
    return [*due, *_put_off(now)]


def _kept_back(line: LaneLine) -> Waiting:
    moments = [at for at in (line.paused_until, line.next_call_at) if at]
    next_at = None if line.is_held else max(moments, default=None)
    limit = RateLimit.parse(line.rate_limit)
    last_at = next_at + (line.due - 1) * limit.interval if next_at and limit else next_at
    return Waiting(
        lane=line.lane,
        count=line.due,
        why=line.condition,
        is_due=True,
        next_at=next_at,
        last_at=last_at,
    )


def _put_off(now: datetime) -> Iterator[Waiting]:
    """What is due later: a retry, the end of quiet hours or of a summary."""
    rows = AlertNotification.objects.order_by("channel", "lane").filter(WAITING, due_at__gt=now)
    groups: Any = rows.values("channel", "lane", "state", "reason").annotate(
        count=Count("pk"), first=Min("due_at"), last=Max("due_at")
    )
    for group in groups:
        state, reason = NotificationState(group["state"]), Reason(group["reason"])
        yield Waiting(
            lane=Lane(group["channel"], group["lane"]),
            count=group["count"],
            why=str(reason.label or state.label),
            is_due=False,
            next_at=group["first"],
            last_at=group["last"],
        )
