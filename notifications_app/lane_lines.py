"""Each lane of each channel as operators look at it: what waits, is under way and ended, and what it keeps to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min
from django.utils.translation import gettext as _

from notifications_app import channel_states, claims, lanes
from notifications_app.channels import registry
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, ChannelState, LaneState
from notifications_app.models.notifications import WAITING
from notifications_app.rate_limits import RateLimit
from notifications_app.states import NotificationState
from scheduler_app.masking import mask
from scheduler_app.selectors import WINDOW

Counted = Mapping[Lane, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLine:
    lane: Lane
    due: int
    oldest_due_at: datetime | None
    later: int
    """Waits for a moment to come: a retry, the end of quiet hours or of a summary."""
    leased: int
    sent_24h: int
    failed_24h: int
    """Given up."""
    problem: str
    """Why the channel sends nothing, "" when it is up."""
    is_held: bool
    paused_until: datetime | None
    pause_reason: str
    breaker_openings: int
    rate_limit: str
    next_call_at: datetime | None
    """When the rate limit lets the next call through; None: now."""

    @property
    def condition(self) -> str:
        """In words what it keeps to."""
        if self.problem:
            return _("off: %(why)s") % {"why": self.problem}
        if self.is_held:
            return _("held by an operator")
        if self.paused_until:
            facts = {"until": f"{self.paused_until:%H:%M:%S} UTC", "why": self.pause_reason}
            if self.breaker_openings:
                return _("breaker open until %(until)s, %(why)s") % facts
            return _("paused until %(until)s: %(why)s") % facts
        if self.next_call_at:
            facts = {"limit": self.rate_limit, "until": f"{self.next_call_at:%H:%M:%S} UTC"}
            return _("rate limit %(limit)s used up until %(until)s") % facts
        return _("breaker asks by single messages") if self.breaker_openings else _("free")


def lane_lines(now: datetime) -> list[LaneLine]:
    """At least one line for each channel, in the order of the registry; a fixed number of queries."""
    rows = AlertNotification.objects.order_by()
    due = _by_lane(claims.due(now).order_by(), oldest=Min("due_at"))
    later = _by_lane(rows.filter(WAITING, due_at__gt=now))
    leased = _by_lane(rows.filter(state=NotificationState.SENDING))
    ended = {
        state: _by_lane(rows.filter(state=state, finished_at__gt=now - WINDOW))
        for state in (NotificationState.SENT, NotificationState.DEAD)
    }
    known = lanes.known()
    found = {lane for counted in (due, later, leased, *ended.values(), known) for lane in counted}
    lines = []
    for state in channel_states.all_states():
        its = sorted(lane for lane in found if lane.channel == state.channel)
        for lane in its or [Lane(state.channel)]:
            counts: dict[str, Any] = {
                "due": _count(due, lane),
                "oldest_due_at": due.get(lane, {}).get("oldest"),
                "later": _count(later, lane),
                "leased": _count(leased, lane),
                "sent_24h": _count(ended[NotificationState.SENT], lane),
                "failed_24h": _count(ended[NotificationState.DEAD], lane),
            }
            lines.append(LaneLine(lane=lane, **counts, **limits_of(state, known.get(lane), now)))
    return lines


def limits_of(state: ChannelState, lane: LaneState | None, now: datetime) -> dict[str, Any]:
    """What keeps messages of a lane back, by the names of LaneLine's fields."""
    text = state.rate_limit or registry.shared(state.channel).rate_limit
    limit = RateLimit.parse(text)
    free_at = limit.free_at(lane.spent_until) if limit and lane and lane.spent_until else None
    is_paused = bool(lane and lane.paused_until and lane.paused_until > now)
    return {
        "problem": mask(channel_states.problem_of(state)),
        "is_held": state.held,
        "paused_until": lane.paused_until if lane and is_paused else None,
        "pause_reason": mask(lane.pause_reason) if lane and is_paused else "",
        "breaker_openings": lane.openings if lane else 0,
        "rate_limit": text,
        "next_call_at": free_at if free_at and free_at > now else None,
    }


def _by_lane(rows: Any, **more: Any) -> Counted:
    groups = rows.values("channel", "lane").annotate(count=Count("pk"), **more)
    return {Lane(group["channel"], group["lane"]): group for group in groups}


def _count(counted: Counted, lane: Lane) -> int:
    return int(counted.get(lane, {}).get("count", 0))
