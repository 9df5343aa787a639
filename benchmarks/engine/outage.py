"""All schedulers were down for a day: how soon what was missed is dealt with, and whether the next slot is on time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Count, Sum

from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.site import opened
from benchmarks.stage import Stage
from benchmarks.trial import WrongRecordError
from scheduler_app.models import JobRun
from scheduler_app.states import RunState

JOBS = 1000
START_BEFORE_MINUTE = timedelta(seconds=15)
PATIENCE_S = 300.0


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
        site.scheduler()
        until_s = began_s + PATIENCE_S
        caught_up_s = records.wait_for(records.count_final, JOBS, until_s) - began_s
        on_time = records.Span(following, following + plans.MINUTE)
        records.wait_for(lambda: records.count_final(on_time), JOBS, until_s)
        site.stop()
        records.check(site, on_time, JOBS)
        _check_missed(first, following)
        return {"caught_up_s": caught_up_s, "p99_ms": records.p99_ms(on_time)}


def _check_missed(first: datetime, following: datetime) -> None:
    """By the default policy each job ran its latest slot, and has the others as MISSED; none is left out."""
    runs = JobRun.objects.filter(slot__gte=first, slot__lt=following).order_by()
    states = dict(runs.values_list("state").annotate(Sum("slot_count")))
    slots = JOBS * int((following - first) / plans.MINUTE)
    wanted = {RunState.MISSED: slots - JOBS, RunState.SUCCESS: JOBS}
    if states != wanted:
        raise WrongRecordError(f"{wanted} slots were expected, the rows cover {states}")
    most = runs.values("job").annotate(rows=Count("pk")).order_by("-rows").first()
    if most and most["rows"] > 1 + 2:
        raise WrongRecordError(f"{most['rows']} rows of one job tell of one outage")
