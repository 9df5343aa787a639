"""Which of the slots that are due run now, and which are written off (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_app.states import Reason, RunState
from scheduler_app.timetable import Schedule

LEAST_GRACE_S = 60.0
ONE_OFF_GRACE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a job does about slots that nobody was there to start. `grace_s` None: by the period."""

    on_missed: str = "latest"
    grace_s: float | None = None
    max_catch_up: int = 1

    def grace(self, period: timedelta | None) -> timedelta:
        """How late a slot may start: half the period unless the job says otherwise, at least a minute."""
        if self.grace_s is not None:
            return timedelta(seconds=self.grace_s)
        if self.on_missed == "skip":
            return timedelta(seconds=LEAST_GRACE_S)
        half_s = period.total_seconds() / 2 if period else ONE_OFF_GRACE_S
        return timedelta(seconds=max(half_s, LEAST_GRACE_S))

    @property
    def most(self) -> int:
        return self.max_catch_up if self.on_missed == "all" else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Neighbouring slots that do not run: one row of the ledger."""

    first: datetime
    last: datetime
    count: int
    state: RunState
    """MISSED or SKIPPED."""
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    run: tuple[datetime, ...]
    passed: tuple[Passed, ...]
    following: datetime | None


def plan(schedule: Schedule, cursor: datetime, now: datetime, policy: Policy) -> Plan:
    """Deal with every slot from `cursor` (a slot that is due) up to `now`.

    Each of these slots is in `run` or in exactly one range of `passed`; `following` is the first slot after `now`.
    """
    second = schedule.next_after(cursor)
    grace = policy.grace(second - cursor if second else None)
    if second is None or second > now:
        if now - cursor <= grace:
            return Plan(run=(cursor,), passed=(), following=second)
        return Plan(run=(), passed=(_missed(cursor, cursor, 1, Reason.GRACE),), following=second)
    return _plan_backlog(schedule, cursor, now, now - grace, policy.most)


def _plan_backlog(
    schedule: Schedule, cursor: datetime, now: datetime, horizon: datetime, most: int
) -> Plan:
    before = cursor - timedelta(microseconds=1)
    fresh = max(before, horizon - timedelta(microseconds=1))
    run = schedule.take_last(now, most, fresh)
    ranges = []
    late_until = min(fresh, now)
    boundaries = (
        (before, late_until, Reason.GRACE),
        (late_until, _just_before(run, now), Reason.CATCH_UP),
    )
    for after, until, reason in boundaries:
        slots = schedule.count(after, until) if after < until else None
        if slots and slots.count and slots.first and slots.last:
            ranges.append(_missed(slots.first, slots.last, slots.count, reason))
    return Plan(run=tuple(run), passed=tuple(ranges), following=schedule.next_after(now))


def _missed(first: datetime, last: datetime, count: int, reason: Reason) -> Passed:
    return Passed(first=first, last=last, count=count, state=RunState.MISSED, reason=reason)


def _just_before(run: list[datetime], now: datetime) -> datetime:
    return run[0] - timedelta(microseconds=1) if run else now
