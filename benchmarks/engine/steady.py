"""The same load second after second: does the scheduler keep up, and what does it cost?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from benchmarks.cpu import Meter
from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.site import opened
from benchmarks.stage import Stage

JOBS = 100_000
EACH_SECOND = 1000
SECONDS = 60
LEFT_BEHIND_AFTER_S = 1.0


def steady(stage: Stage) -> Sequence[Measure]:
    (ours,) = take_turns(stage.runs, partial(keep_up, stage))
    load = "1,000 due each second out of 100,000"
    return (
        Measure(name=f"{load}: p99 lateness", unit="ms", ours=ours["p99_ms"], goal=Goal(most=300)),
        Measure(
            name=f"{load}: CPU with PostgreSQL's backends",
            unit="% of a core",
            ours=ours["cpu"],
            goal=Goal(most=35),
        ),
        Measure(
            name=f"{load}: not final a second after the last",
            unit="runs",
            ours=ours["behind"],
            goal=Goal(most=0),
        ),
    )


def keep_up(stage: Stage) -> Figures:
    with opened(stage) as site:
        made_for = plans.now()
        plans.make_jobs(plans.spread_evenly(made_for, JOBS, EACH_SECOND))
        first = plans.next_second(plans.now() + plans.START_LEAD)
        plans.shift(first - made_for)
        site.settle()
        scheduler = site.ready_scheduler()
        plans.wait_for_due(first)
        span = records.Span(first, first + timedelta(seconds=SECONDS))
        meter = Meter([scheduler.pid], site.server_url)
        meter.start()
        time.sleep((span.end - plans.now()).total_seconds())
        cpu = meter.stop()
        time.sleep(LEFT_BEHIND_AFTER_S)
        total = SECONDS * EACH_SECOND
        behind = total - records.count_final(span)
        records.wait_for(lambda: records.count_final(span), total, time.time() + 10 * SECONDS)
        site.stop()
        records.check(site, span, total)
        return {"p99_ms": records.p99_ms(span), "cpu": cpu, "behind": max(behind, 0)}
