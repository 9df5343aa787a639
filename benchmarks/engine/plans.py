"""Jobs by the thousand, as rows that a sync of another job file would have left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.db.models import F

from benchmarks.site import OWNER
from scheduler_app import epochs
from scheduler_app.declarations import JobDeclaration
from scheduler_app.models import JobGate, ScheduledJob, ScheduleEpoch, Timetable

SOURCE = "benchmarks.engine.plans"
SPEAKS_EACH = 101
"""One job in so many prints a line; with no period in common with those of the schedules."""
ROWS_AT_ONCE = 2000
ROWS_A_SECOND = 2500
"""How fast rows are made on a machine that has nothing else to do."""
START_LEAD = timedelta(seconds=15)
"""Time to start a scheduler when the rows are there."""
LEADS = (1, 2, 4)
LEAST_LEAD = timedelta(seconds=0.5)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MOMENT = timedelta(seconds=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of one job: in force since `opened_at`, due next at `cursor`."""

    cron: str
    opened_at: datetime
    cursor: datetime


def now() -> datetime:
    return datetime.now(UTC)


class TooSlowError(Exception):
    """The jobs were due before all was prepared."""


def in_time(attempt: Callable[[timedelta], T], rows: int) -> T:
    """`attempt(lead)`, where `lead` is time to make `rows` jobs and start a scheduler; again with more if too short.

    `attempt` raises TooSlowError (see `wait_for_due`) when it was.
    """
    for factor in LEADS[:-1]:
        with contextlib.suppress(TooSlowError):
            return attempt(factor * timedelta(seconds=5 + rows / ROWS_A_SECOND))
    return attempt(LEADS[-1] * timedelta(seconds=5 + rows / ROWS_A_SECOND))


def wait_for_due(due: datetime) -> None:
    """Sleep until `due`. Raises TooSlowError when it is not half a second ahead."""
    if now() > due - LEAST_LEAD:
        raise TooSlowError
    time.sleep((due - now()).total_seconds())


def next_minute(after: datetime) -> datetime:
    return after.replace(second=0, microsecond=0) + MINUTE


def next_second(after: datetime) -> datetime:
    return after.replace(microsecond=0) + timedelta(seconds=1)


def due_at_minute(due: datetime, count: int) -> Iterator[Plan]:
    """`count` jobs of the kinds that teams have, all due at the full minute `due` and not again within the hour.

    Hourly, daily, twice a day, and on one day of the week.
    """
    minute, hour, weekday = due.minute, due.hour, due.isoweekday() % 7
    for number in range(count):
        second = (hour + 2 + number % 21) % 24
        hours = ",".join(map(str, sorted((hour, second))))
        kinds = ("* * * *", f"{hour} * * *", f"{hours} * * *", f"{hour} * * {weekday}")
        yield Plan(f"{minute} {kinds[number % len(kinds)]}", due - MOMENT, due)


def due_at_instant(due: datetime, count: int) -> Iterator[Plan]:
    """`count` daily intervals due at `due`, which need not be a full minute."""
    for _ in range(count):
        yield Plan("every 1 d", due - DAY, due)


def spread_evenly(first: datetime, count: int, each_second: int) -> Iterator[Plan]:
    """`count` intervals of which `each_second` are due in every second from `first` on."""
    period_s = count // each_second
    for number in range(count):
        due = first + timedelta(seconds=number % period_s)
        yield Plan(f"every {period_s} s", due - timedelta(seconds=period_s), due)


def far_away(begin: datetime, count: int) -> Iterator[Plan]:
    """`count` daily crons of which none is due within three hours of `begin`."""
    for number in range(count):
        due = begin.replace(second=0, microsecond=0) + timedelta(hours=3, minutes=number % 1080)
        yield Plan(f"{due.minute} {due.hour} * * *", begin, due)


def each_minute(first: datetime, count: int) -> Iterator[Plan]:
    """`count` jobs due at every minute since `first`, each (up to 1,380) with an expression of its own."""
    for number in range(count):
        minutes = f"0-{number % 60},{number % 60}-59"
        hours = f"0-{number // 60 % 23},{number // 60 % 23}-23"
        yield Plan(f"{minutes} {hours} * * *", first - MOMENT, first)


def shift(by: timedelta) -> None:
    """Move every job that is an interval, with all its slots, by so much."""
    Timetable.objects.update(next_run_time=F("next_run_time") + by)
    ScheduleEpoch.objects.update(opened_at=F("opened_at") + by)


def make_jobs(
    plans: Iterable[Plan], prefix: str = "bench", *, queue: str = "default", body: str = ""
) -> None:
    """The rows of the mirror for `plans`: jobs, gates, epochs and cursors. `body`: the function that all call."""
    numbered = enumerate(plans)
    while part := list(islice(numbered, ROWS_AT_ONCE)):
        jobs = [_job(f"{prefix}-{number:06}", number, plan, queue, body) for number, plan in part]
        _insert(jobs, [plan for _, plan in part])


def _job(job_id: str, number: int, plan: Plan, queue: str, body: str) -> ScheduledJob:
    declared = JobDeclaration(
        id=job_id,
        name=f"Benchmark {number}",
        module="benchmarks.engine.no_ops",
        callable=body or ("speak" if number % SPEAKS_EACH == 0 else "note"),
        cron=plan.cron,
        owner=OWNER,
        category="benchmark",
        description="Does nothing.",
        queue=queue,
    ).as_dict()
    del declared["id"]
    times = {"created_at": plan.opened_at, "updated_at": plan.opened_at}
    return ScheduledJob(id=job_id, source=SOURCE, file_values=declared, **times, **declared)


def _insert(jobs: Sequence[ScheduledJob], plans: Sequence[Plan]) -> None:
    ScheduledJob.objects.bulk_create(jobs)
    JobGate.objects.bulk_create(JobGate(job=job) for job in jobs)
    spans = ScheduleEpoch.objects.bulk_create(
        ScheduleEpoch(
            job=job,
            definition=epochs.definition_of(job),
            opened_at=plan.opened_at,
            reason=f"new in {SOURCE}",
        )
        for job, plan in zip(jobs, plans, strict=True)
    )
    Timetable.objects.bulk_create(
        Timetable(job=span.job, epoch=span.pk, next_run_time=plan.cursor)
        for span, plan in zip(spans, plans, strict=True)
    )
