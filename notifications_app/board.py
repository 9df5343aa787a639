"""What the whole site says about channels and lanes at one instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from notifications_app import channel_states, lanes
from notifications_app.claims import Claim, Claimant
from notifications_app.lanes import Group, Lane
from notifications_app.models import ChannelState, LaneState


@dataclass(frozen=True, slots=True)
class Board:
    """Read once for a look at everything: three queries, however much waits."""

    now: datetime
    channels: dict[str, Claimant]
    """How each channel is claimed; those that are held are not here."""
    lanes: dict[Lane, LaneState]
    groups: list[Group]

    @classmethod
    def read(cls, now: datetime, claimant: Callable[[ChannelState], Claimant]) -> Board:
        states = channel_states.all_states()
        channels = {state.channel: claimant(state) for state in states if not state.held}
        return cls(now, channels, lanes.known(), lanes.groups())

    def open_lanes(self) -> dict[Lane, list[Group]]:
        """The lanes from which something that is due may be claimed, the most urgent first."""
        found: dict[Lane, list[Group]] = defaultdict(list)
        for group in sorted(self.groups, key=lambda group: (group.priority, group.due_at)):
            if group.due_at <= self.now and self.is_open(group.lane):
                found[group.lane].append(group)
        return found

    def has_due(self) -> bool:
        return any(group.due_at <= self.now for group in self.groups)

    def is_open(self, lane: Lane) -> bool:
        if lane.channel not in self.channels:
            return False
        opens_at = self._opens_at(lane)
        return opens_at is None or opens_at <= self.now

    def may_send(self, claim: Claim) -> bool:
        """Whether what was claimed a while ago may still go out: a limit was paid, a probe is what the pause is for."""
        if claim.lane.channel not in self.channels:
            return False
        state = self.lanes.get(claim.lane)
        is_paused = bool(state and state.paused_until and state.paused_until > self.now)
        return claim.is_probe or not is_paused

    def is_watched(self, lane: Lane) -> bool:
        """Whether other workers may have said something about the lane."""
        return lane in self.lanes

    def next_due_s(self) -> float | None:
        """Seconds until something more is due or a lane with work opens; None when nothing is known to come."""
        moments = [group.due_at for group in self.groups]
        moments += [at for group in self.groups if (at := self._opens_at(group.lane))]
        ahead = [(moment - self.now).total_seconds() for moment in moments if moment > self.now]
        return min(ahead, default=None)

    def _opens_at(self, lane: Lane) -> datetime | None:
        """When the pause and the rate limit of the lane let the next message through; None for a lane without."""
        state, by = self.lanes.get(lane), self.channels.get(lane.channel)
        if state is None:
            return None
        moments = [state.paused_until] if state.paused_until else []
        if by and by.limit and state.spent_until:
            moments.append(by.limit.free_at(state.spent_until))
        return max(moments, default=None)
