"""All schedulers were down for a day: how soon what was missed is dealt with, and whether the next slot is on time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.db.models import Count, Q, Sum

from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.site import opened
from benchmarks.stage import Stage
from benchmarks.trial import WrongRecordError
from scheduler_app.models import JobRun, Timetable
from scheduler_app.states import OPEN_STATES, RunState

JOBS = 1000
START_BEFORE_MINUTE = timedelta(seconds=15)
PATIENCE_S = 300.0
MOST_ROWS = 4
"""MISSED as too old, MISSED by policy, the latest slot, and the slot that is due then."""


def outage(stage: Stage) -> Sequence[Measure]:
    (ours,) = take_turns(stage.runs, partial(come_back, stage))
    what = "back after a day, 1,000 minutely jobs"
    return (
        Measure(
            name=f"{what}: from the start until caught up",
            unit="s",
            ours=ours["caught_up_s"],
            goal=Goal(most=5),
        ),
        Measure(
            name=f"{what}: p99 lateness of the first slot that is due then",
            unit="ms",
            ours=ours["p99_ms"],
            goal=Goal(most=250),
        ),
    )


def come_back(stage: Stage) -> Figures:
    with opened(stage) as site:
        first = plans.next_minute(plans.now() - plans.DAY)
        plans.make_jobs(plans.each_minute(first, JOBS))
        site.settle()
        following = plans.next_minute(plans.now() + START_BEFORE_MINUTE)
        time.sleep((following - START_BEFORE_MINUTE - plans.now()).total_seconds())
        began_s = time.time()
        site.ready_scheduler()
        until_s = began_s + PATIENCE_S
        caught_up_s = records.wait_for(_count_caught_up, JOBS, until_s) - began_s
        then = records.Span(following, following + plans.MINUTE)
        records.wait_for(lambda: records.count_final(then), JOBS, until_s)
        site.stop()
        records.check(site, then, JOBS)
        _check_missed(records.Span(first, then.end))
        return {"caught_up_s": caught_up_s, "p99_ms": records.p99_ms(then)}


def _count_caught_up() -> int:
    """Jobs whose cursor is ahead, once nothing that they queued is open."""
    if JobRun.objects.filter(state__in=OPEN_STATES).exists():
        return 0
    return Timetable.objects.filter(next_run_time__gt=plans.now()).count()


def _check_missed(span: records.Span) -> None:
    """Each slot is covered by one row; each job has few rows, of which one is a run of what it had missed."""
    runs = JobRun.objects.filter(slot__gte=span.begin, slot__lt=span.end).order_by()
    covered = runs.aggregate(slots=Sum("slot_count"))["slots"]
    slots = JOBS * int((span.end - span.begin) / plans.MINUTE)
    if covered != slots:
        raise WrongRecordError(f"the rows cover {covered} of {slots} slots")
    rows = runs.values("job").annotate(
        rows=Count("pk"), ran=Count("pk", filter=Q(state=RunState.SUCCESS))
    )
    wrong = [job for job in rows if not job["ran"] or job["rows"] > MOST_ROWS]
    if wrong:
        raise WrongRecordError(f"{len(wrong)} jobs, among them {wrong[0]}")
