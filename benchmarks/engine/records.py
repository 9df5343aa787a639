"""What the rows, the log and the totals say after a measurement: the figures count only if all of it is right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Sum

from benchmarks.measure import percentile
from benchmarks.site import Site
from benchmarks.trial import WrongRecordError
from scheduler_app.models import JobRun, RunTally
from scheduler_app.states import RunState

LOOK_EVERY_S = 0.01
ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """The slots from `begin` on and before `end`."""

    begin: datetime
    end: datetime


def wait_for(count: Callable[[], int], wanted: int, until_s: float) -> float:
    """The outside clock: Unix time at which `count()` first said `wanted`; looks every 10 ms.

    Raises WrongRecordError past the Unix time `until_s`.
    """
    while (found := count()) < wanted:
        if time.time() > until_s:
            raise WrongRecordError(f"{found} of {wanted} were there in time")
        time.sleep(LOOK_EVERY_S)
    return time.time()


def count_final(span: Span | None = None) -> int:
    """The runs that succeeded; all, told by an index, or those of `span`."""
    runs = JobRun.objects.filter(state=RunState.SUCCESS)
    if span:
        runs = runs.filter(slot__gte=span.begin, slot__lt=span.end)
    return runs.count()


def latenesses_ms(span: Span) -> list[float]:
    """From each slot to the later of its row's start and of what the body itself noted."""
    runs = JobRun.objects.filter(slot__gte=span.begin, slot__lt=span.end, state=RunState.SUCCESS)
    rows = runs.values_list("slot", "started_at", "result")
    return [
        1000 * (max(started.timestamp(), float(noted)) - slot.timestamp())
        for slot, started, noted in rows
        if slot and started
    ]


def p99_ms(span: Span) -> float:
    return percentile(latenesses_ms(span), 0.99)


def check(site: Site, span: Span, wanted: int) -> None:
    """Every slot of `span` has its one row, which succeeded; every body was called once; all of it was recorded.

    Raises WrongRecordError.
    """
    runs = JobRun.objects.filter(slot__gte=span.begin, slot__lt=span.end)
    states = dict(runs.order_by().values_list("state").annotate(Count("pk")))
    _must(states == {RunState.SUCCESS: wanted}, f"{wanted} runs were due, the rows are {states}")
    _must(_is_booked(), "the totals do not equal the rows")
    speakers = runs.filter(job__callable="speak")
    _must(not speakers.filter(log="").exists(), "what jobs printed was not kept")
    _check_log(site, set(runs.values_list("pk", flat=True)))


def _is_booked() -> bool:
    totals = RunTally.objects.filter(hour=ALL_TIME, state=RunState.SUCCESS)
    booked = totals.aggregate(total=Sum("total"))["total"] or 0
    return bool(booked == JobRun.objects.filter(state=RunState.SUCCESS).count())


def _check_log(site: Site, run_ids: set[int]) -> None:
    for event, told in site.logged("job_run_start", "job_run_success").items():
        doubles = [run for run in run_ids if told[run] > 1]
        missing = [run for run in run_ids if told[run] == 0]
        _must(not doubles, f"{len(doubles)} runs have {event} more than once")
        _must(not missing, f"{len(missing)} runs have no {event} in scheduler.log")


def first_claim_at() -> datetime:
    return JobRun.objects.earliest("queued_at").queued_at


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WrongRecordError(otherwise)
