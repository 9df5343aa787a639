"""A scheduler with very many jobs and nothing to do: how soon it begins, what it holds, what it uses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from benchmarks.cpu import Meter
from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.site import Site, opened
from benchmarks.stage import Stage
from benchmarks.trial import WrongRecordError
from scheduler_app.models import JobRun
from tests.servers import Running

JOBS = 100_000
WAITING = 10
"""Jobs that were due a moment before the start."""
IDLE_S = 60.0
QUICK_IDLE_S = 5.0
CLAIM_TIMEOUT_S = 60.0


def rest(stage: Stage) -> Sequence[Measure]:
    """In --quick with a tenth of the jobs."""
    jobs = JOBS // 10 if stage.quick else JOBS
    (ours,) = take_turns(stage.runs, partial(start_and_idle, stage, jobs))
    return (
        Measure(
            name=f"start with {jobs:,} jobs: until the first claim",
            unit="s",
            ours=ours["start_s"],
            goal=Goal(most=2),
        ),
        Measure(
            name=f"{jobs:,} jobs: resident memory",
            unit="MiB",
            ours=ours["resident_mib"],
            goal=Goal(most=150),
        ),
        Measure(
            name=f"idle with {jobs:,} jobs: CPU with PostgreSQL's backends",
            unit="% of a core",
            ours=ours["cpu"],
            goal=Goal(most=1),
        ),
    )


def start_and_idle(stage: Stage, jobs: int) -> Figures:
    with opened(stage) as site:
        plans.make_jobs(plans.far_away(plans.now(), jobs - WAITING))
        due = plans.now()
        plans.make_jobs(plans.due_at_instant(due, WAITING), prefix="waiting")
        site.settle()
        began_s = time.time()
        scheduler = site.scheduler()
        records.wait_for(records.count_final, WAITING, began_s + CLAIM_TIMEOUT_S)
        claimed_at = records.first_claim_at()
        meter = _idle(stage, site, scheduler)
        cpu = meter.stop()
        site.stop()
        records.check(site, records.Span(due, due + timedelta(seconds=1)), WAITING)
        if (runs := JobRun.objects.count()) != WAITING:
            raise WrongRecordError(f"{runs} runs, where {WAITING} were due")
        return {
            "start_s": claimed_at.timestamp() - began_s,
            "resident_mib": meter.resident_mib,
            "cpu": cpu,
        }


def _idle(stage: Stage, site: Site, scheduler: Running) -> Meter:
    """A meter that has watched for a while in which nothing is due."""
    time.sleep(1)  # what the start has left to do is no idling
    meter = Meter([scheduler.pid], site.server_url)
    meter.start()
    time.sleep(QUICK_IDLE_S if stage.quick else IDLE_S)
    return meter
