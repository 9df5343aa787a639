"""The slot ledger held against an enumeration of its own (promise P1), and figures against rows (P6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import Sum

from scheduler_app.models import JobRun, RunTally, ScheduleEpoch, Timetable
from scheduler_app.states import OPEN_STATES

EVERY = re.compile(r"every (\d+) s")


def expected(span: ScheduleEpoch, until: datetime) -> list[datetime]:
    """The slots of an interval or of an every-minute cron in (opened, until], by plain arithmetic."""
    cron = span.definition["cron"]
    if match := EVERY.fullmatch(cron):
        step, first = timedelta(seconds=int(match[1])), span.opened_at
    else:
        assert cron == "* * * * *"
        step, first = timedelta(minutes=1), span.opened_at.replace(second=0, microsecond=0)
    slots = []
    while (first := first + step) <= until:
        slots.append(first)
    return slots


def covered(span: ScheduleEpoch, slots: Iterable[datetime]) -> Counter[datetime]:
    """How many first attempts or ranges of the ledger cover each slot."""
    found: Counter[datetime] = Counter()
    rows = JobRun.objects.filter(epoch=span.pk, attempt=1)
    for slot, last, count in rows.values_list("slot", "slot_last", "slot_count"):
        inside = [moment for moment in slots if slot <= moment <= (last or slot)]
        assert len(inside) == count, f"{span}: a row counts {count} slots, {len(inside)} are due"
        found.update(inside)
    return found


def assert_whole() -> int:
    """Each slot of each epoch before its job's cursor has exactly one row; returns how many slots that were."""
    checked = 0
    cursors = dict(Timetable.objects.values_list("epoch", "next_run_time"))
    for span in ScheduleEpoch.objects.all():
        cursor = cursors.get(span.pk)
        until = span.closed_at or (cursor - timedelta(microseconds=1) if cursor else None)
        assert until is not None, f"{span} is open and has no cursor"
        pruned = span.pruned_until
        slots = [slot for slot in expected(span, until) if pruned is None or slot > pruned]
        found = covered(span, slots)
        wrong = {slot: found[slot] for slot in slots if found[slot] != 1}
        assert not wrong, f"{span}: {wrong}"
        checked += len(slots)
    return checked


def assert_figures_true() -> None:
    """Totals of final states equal what the rows say."""
    rows: Counter[tuple[str, str]] = Counter()
    final = JobRun.objects.exclude(state__in=OPEN_STATES).order_by()
    for job, state, total in final.values_list("job_id", "state").annotate(Sum("slot_count")):
        rows[job, state] = total
    totals = RunTally.objects.filter(hour=datetime(1970, 1, 1, tzinfo=UTC))
    told = {(row.job, row.state): row.total - row.pruned for row in totals}
    assert told == dict(rows)
