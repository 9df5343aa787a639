"""What should have run: every slot of a job, with what the ledger has of it (promise P1 as a question).

The slots come from the schedule epochs, the answers from the runs. Both are read in the order of time and side by side,
so that a month of a minutely job costs a second and no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Q

from scheduler_app import calendar_days, epochs, mirror
from scheduler_app.clock import db_now
from scheduler_app.errors import ScheduleError
from scheduler_app.models import JobRun, ScheduleEpoch, Timetable
from scheduler_app.states import Reason, RunState, SlotState
from scheduler_app.timetable import EPOCH, NEVER_AFTER, Schedule
from scheduler_app.wall_clock import INSTANT

CHUNK = 2000
"""Runs read by one query."""
LOOKED_AT = 20_000
"""Lines that one page of answers may cost, however few of them are wanted."""
COLUMNS = (
    "id", "slot", "slot_last", "slot_count", "attempt", "state", "reason", "ready_at", "started_at",
)  # fmt: skip
NO_MORE_TRIES = 2**31 - 1
WORDS = {**dict(RunState.choices), **dict(SlotState.choices)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotLine:
    """A slot, or neighbouring slots that have one row, or none, between them; `run_id` is the last try's."""

    first: datetime
    last: datetime
    count: int
    state: str
    """A RunState or a SlotState."""
    reason: str = ""
    run_id: int | None = None
    attempts: int = 0
    lag_ms: float | None = None
    """From the moment at which the first try should have started until it did."""
    is_expected: bool = True
    """False: a row for a time that is no slot of the job, or that another row has already."""

    @property
    def word(self) -> str:
        """The state in the reader's language."""
        return str(WORDS[self.state])

    @property
    def reason_word(self) -> str:
        return str(Reason(self.reason).label)

    @property
    def is_wrong(self) -> bool:
        """Promise P1 is broken here."""
        return self.state == SlotState.MISSING or not self.is_expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """`following`: go on behind this slot; None at the end."""

    lines: list[SlotLine]
    following: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The part of an epoch that is asked for: slots in (`after`, `until`], on record up to `settled`."""

    epoch: int
    schedule: Schedule | None
    after: datetime
    until: datetime
    settled: datetime
    pruned: datetime


def read(job_id: str, since: datetime, until: datetime) -> Iterator[SlotLine]:
    """The slots of a job in [since, until) that are due, ascending; a range that reaches over an edge is told whole.

    Raises UnknownJobError.
    """
    mirror.get(job_id)
    now = db_now()
    after, last = max(since, EPOCH) - INSTANT, min(max(until, EPOCH) - INSTANT, now)
    # before the rows: all that lies before the cursor was committed together with it
    cursor = Timetable.objects.filter(pk=job_id).first()
    spans = list(_spans(job_id, cursor, after, last))
    return _walk(spans, _rows(job_id, after, last), after)


def newest(job_id: str, since: datetime, rows: int) -> datetime:
    """`since`, or later where a job has more than so many rows from then on."""
    slots = JobRun.objects.filter(job_id=job_id, epoch__isnull=False, slot__gte=since)
    last = slots.order_by("-slot").values_list("slot", flat=True)[rows - 1 : rows].first()
    return last or since


def upcoming(job_id: str, count: int) -> list[SlotLine]:
    """The next `count` slots of a job, those in which it will rest with the reason; none while it is switched off.

    Raises UnknownJobError.
    """
    job, now = mirror.get(job_id), db_now()
    span = ScheduleEpoch.objects.filter(job_id=job_id, closed_at=None).order_by("-pk").first()
    schedule = _schedule(span) if span and epochs.is_on(job) else None
    if span is None or schedule is None:
        return []
    rests = epochs.rests_of(span.definition, calendar_days.entered_for([job.calendar]))
    return [
        SlotLine(
            first=at,
            last=at,
            count=1,
            state=SlotState.UPCOMING,
            reason=rests.why(at) if rests else "",
        )
        for at in schedule.next_times(now, count)
    ]


def portion(lines: Iterable[SlotLine], limit: int, states: Iterable[str] = ()) -> Portion:
    """The first `limit` of the lines in one of `states` (all by default); fewer where they are far apart."""
    wanted, found = frozenset(states), list[SlotLine]()
    for number, line in enumerate(lines, start=1):
        if len(found) == limit:
            return Portion(lines=found, following=found[-1].last)
        if not wanted or line.state in wanted:
            found.append(line)
        if number >= LOOKED_AT:
            return Portion(lines=found, following=line.last)
    return Portion(lines=found, following=None)


def stretches(lines: Iterable[SlotLine]) -> Iterator[SlotLine]:
    """Neighbouring lines of the same state and reason as one line each."""
    for (state, reason, expected), same in groupby(
        lines, key=lambda line: (line.state, line.reason, line.is_expected)
    ):
        group = list(same)
        alone = group[0] if len(group) == 1 else None
        yield alone or SlotLine(
            first=group[0].first,
            last=group[-1].last,
            count=sum(line.count for line in group),
            state=state,
            reason=reason,
            is_expected=expected,
        )


def _spans(
    job_id: str, cursor: Timetable | None, after: datetime, until: datetime
) -> Iterator[_Span]:
    begun = ScheduleEpoch.objects.filter(job_id=job_id, opened_at__lt=until)
    wanted = begun.filter(Q(closed_at=None) | Q(closed_at__gt=after))
    for span in wanted.order_by("opened_at", "pk"):
        yield _Span(
            epoch=span.pk,
            schedule=_schedule(span),
            after=max(span.opened_at, after),
            until=min(span.closed_at or until, until),
            settled=_settled(span, cursor),
            pruned=span.pruned_until or span.opened_at,
        )


def _schedule(span: ScheduleEpoch) -> Schedule | None:
    """None where the definition cannot be understood any more: nothing can be expected of it."""
    try:
        return epochs.schedule_of(span.definition, span.opened_at)
    except ScheduleError:
        return None


def _settled(span: ScheduleEpoch, cursor: Timetable | None) -> datetime:
    """Up to when every slot of the epoch has its row."""
    if span.closed_at:
        return span.closed_at
    if cursor is None or cursor.epoch != span.pk:  # opened a moment ago
        return span.opened_at
    return cursor.next_run_time - INSTANT if cursor.next_run_time else NEVER_AFTER


def _walk(spans: Iterable[_Span], rows: Iterator[SlotLine], after: datetime) -> Iterator[SlotLine]:
    row = next(rows, None)
    if row and row.first <= after:  # a range that reaches into what is asked for
        yield row
        after = row.last
        row = next(rows, None)
    for span in spans:
        position = max(span.after, after)
        while row and row.first <= span.after:
            yield replace(row, is_expected=False)
            row = next(rows, None)
        while row and row.first <= span.until:
            yield from _line(span, position, row)
            position = max(position, row.last)
            if row.reason == Reason.BROKEN:  # nobody could say any more which slots would follow
                position = span.until
            row = next(rows, None)
        yield from _gap(span, position, span.until)
    while row:
        yield replace(row, is_expected=False)
        row = next(rows, None)


def _line(span: _Span, position: datetime, row: SlotLine) -> Iterator[SlotLine]:
    """`row`, and before it what should lie between it and `position`."""
    schedule = span.schedule
    if schedule is None:
        yield row
        return
    is_next = row.first == schedule.next_after(position)
    if not is_next:
        yield from _gap(span, position, row.first - INSTANT)
        is_next = row.first == schedule.next_after(max(position, row.first - INSTANT))
    if row.count > 1:
        is_next &= schedule.count(row.first - INSTANT, row.last).count == row.count
    yield row if is_next else replace(row, is_expected=False)


def _gap(span: _Span, after: datetime, until: datetime) -> Iterator[SlotLine]:
    """What is to be said of the slots in (after, until], which have no row."""
    if span.schedule is None or not span.schedule.count(after, until).count:
        return
    promised = min(span.settled, until)
    pruned = span.pruned if span.pruned >= promised else _pruned_now(span)
    for state, end in (
        (SlotState.PRUNED, min(pruned, promised)),
        (SlotState.MISSING, promised),
        (SlotState.DUE, until),
    ):
        found = span.schedule.count(after, end)
        if found.first and found.last:
            yield SlotLine(first=found.first, last=found.last, count=found.count, state=state)
        after = max(after, end)


def _pruned_now(span: _Span) -> datetime:
    """Read anew: rows may have gone since the epoch was read, and the epoch itself with the last of them."""
    epoch = ScheduleEpoch.objects.filter(pk=span.epoch).first()
    return epoch.pruned_until or span.pruned if epoch else span.until


def _rows(job_id: str, after: datetime, until: datetime) -> Iterator[SlotLine]:
    """What the ledger has of the slots in (after, until], one line for all tries of a slot."""
    for slot, tries in groupby(_tries(job_id, after, until), key=lambda run: run.slot):
        first, *others = tries
        last = others[-1] if others else first
        lag = first.started_at - first.ready_at if first.started_at else None
        yield SlotLine(
            first=slot,
            last=first.slot_last or slot,
            count=first.slot_count,
            state=last.state,
            reason=last.reason,
            run_id=last.id,
            attempts=last.attempt - (last.started_at is None),
            lag_ms=lag.total_seconds() * 1000 if lag is not None else None,
        )


def _tries(job_id: str, after: datetime, until: datetime) -> Iterator[Any]:
    kept = JobRun.objects.filter(job_id=job_id, epoch__isnull=False).order_by("slot", "attempt")
    runs = kept.filter(slot__lte=until).values_list(*COLUMNS, named=True)
    slot, attempt = after, NO_MORE_TRIES
    reaching = kept.filter(slot__lte=after).order_by("-slot", "attempt").only("slot", "slot_last")
    if (row := reaching.first()) and row.slot and row.slot_last and row.slot_last > after:
        slot, attempt = row.slot, 0
    while True:
        later = runs.filter(slot__gte=slot).filter(Q(slot__gt=slot) | Q(attempt__gt=attempt))
        chunk = list(later[:CHUNK])
        yield from chunk
        if len(chunk) < CHUNK:
            return
        slot, attempt = chunk[-1].slot, chunk[-1].attempt
