"""Which of the slots that are due run now, and which are written off (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scheduler_app.rests import Rests, Span
from scheduler_app.states import Reason, RunState
from scheduler_app.timetable import Schedule
from scheduler_app.wall_clock import INSTANT

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


WHY_NOT = {
    Reason.CALENDAR: "fell on days on which the job rests by its calendar.",
    Reason.BLACKOUT: "fell into a blackout window of the job.",
}


def text_of(part: Passed) -> str:
    """What the row of these slots says of them."""
    span = f"{part.count} slot(s) from {part.first:%Y-%m-%d %H:%M:%S} to {part.last:%Y-%m-%d %H:%M:%S} UTC"
    return f"{span} {WHY_NOT.get(part.reason, 'were found too late and did not run.')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    run: tuple[datetime, ...]
    passed: tuple[Passed, ...]
    following: datetime | None


def plan(
    schedule: Schedule,
    cursor: datetime,
    now: datetime,
    policy: Policy,
    rests: Rests | None = None,
) -> Plan:
    """Deal with every slot from `cursor` (a slot that is due) up to `now`.

    Each of these slots is in `run` or in exactly one range of `passed`; `following` is the first slot after `now`.
    Slots in which the job rests are SKIPPED, and no reason to catch up.
    """
    second = schedule.next_after(cursor)
    grace = policy.grace(second - cursor if second else None)
    if second is not None and second <= now:
        return _plan_backlog(schedule, cursor, now, now - grace, policy.most, rests)
    if rests and (reason := rests.why(cursor)):
        return Plan(run=(), passed=(_part(cursor, cursor, 1, reason),), following=second)
    if now - cursor <= grace:
        return Plan(run=(cursor,), passed=(), following=second)
    return Plan(run=(), passed=(_part(cursor, cursor, 1, Reason.GRACE),), following=second)


def _plan_backlog(
    schedule: Schedule,
    cursor: datetime,
    now: datetime,
    horizon: datetime,
    most: int,
    rests: Rests | None,
) -> Plan:
    before = cursor - INSTANT
    fresh = min(max(before, horizon - INSTANT), now)
    spans = list(rests.spans(before, now)) if rests else [Span(before, now, Reason.NONE)]
    run = _last_open(schedule, spans, fresh, most)
    first_run = run[0] - INSTANT if run else now
    passed: list[Passed] = []
    for span in spans:
        for part in _passed_of(schedule, span, fresh, first_run):
            _append(passed, part, schedule)
    return Plan(run=tuple(run), passed=tuple(passed), following=schedule.next_after(now))


def _last_open(
    schedule: Schedule, spans: Sequence[Span], fresh: datetime, most: int
) -> list[datetime]:
    """The last slots after `fresh` in which the job does not rest, ascending."""
    found: list[datetime] = []
    for span in reversed(spans):
        if len(found) == most or span.until <= fresh:
            break
        if span.reason == Reason.NONE:
            begin = max(span.after, fresh)
            found = schedule.take_last(span.until, most - len(found), begin) + found
    return found


def _passed_of(
    schedule: Schedule, span: Span, fresh: datetime, first_run: datetime
) -> Iterator[Passed]:
    """What of the slots of `span` does not run: all of a rest, else those that are too late or not the newest."""
    ends = [(fresh, Reason.GRACE), (first_run, Reason.CATCH_UP)]
    if span.reason != Reason.NONE:
        ends = [(span.until, span.reason)]
    begin = span.after
    for end, reason in ends:
        until = min(end, span.until)
        slots = schedule.count(begin, until)
        if slots.first and slots.last:
            yield _part(slots.first, slots.last, slots.count, reason)
        begin = max(begin, until)


def _append(passed: list[Passed], part: Passed, schedule: Schedule) -> None:
    """Ranges with one reason are one where no slot lies between them."""
    last = passed[-1] if passed else None
    if last and last.reason == part.reason and schedule.next_after(last.last) == part.first:
        passed[-1] = replace(last, last=part.last, count=last.count + part.count)
    else:
        passed.append(part)


def _part(first: datetime, last: datetime, count: int, reason: Reason) -> Passed:
    state = RunState.SKIPPED if reason in WHY_NOT else RunState.MISSED
    return Passed(first=first, last=last, count=count, state=state, reason=reason)
