"""Schedules that are changed while the scheduler runs: each in force at once, and no slot lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.site import opened
from benchmarks.stage import Stage
from benchmarks.trial import WrongRecordError
from scheduler_app import mirror
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduleEpoch
from scheduler_app.states import RunState

JOBS = 100_000
EDITS = 60
PERIOD_S = 2
"""How often each edited job ran before."""
SOON = timedelta(seconds=0.2)
"""The new schedule is one time that lies so far ahead of the edit."""
IN_FORCE_TIMEOUT_S = 30.0


def edits(stage: Stage) -> Sequence[Measure]:
    (ours,) = take_turns(stage.runs, partial(edit_each_second, stage))
    return (
        Measure(
            name="an edit a second with 100,000 jobs: until in force, the slowest",
            unit="s",
            ours=ours["slowest_s"],
            goal=Goal(most=1),
        ),
        Measure(
            name="an edit a second with 100,000 jobs: slots lost or doubled",
            unit="slots",
            ours=ours["wrong_slots"],
            goal=Goal(most=0),
        ),
    )


def edit_each_second(stage: Stage) -> Figures:
    with opened(stage) as site:
        plans.make_jobs(plans.far_away(plans.now(), JOBS - EDITS))
        first = plans.next_second(plans.now() + plans.START_LEAD)
        plans.make_jobs(plans.spread_evenly(first, EDITS, EDITS // PERIOD_S), prefix="edited")
        site.settle()
        site.ready_scheduler()
        plans.wait_for_due(first)
        edited = {}
        for number in range(EDITS):
            time.sleep(max((first - plans.now()).total_seconds() + number + 1, 0))
            job_id = f"edited-{number:06}"
            edited[job_id] = _edit(job_id)
        until_s = time.time() + IN_FORCE_TIMEOUT_S
        records.wait_for(lambda: _count_new(edited), EDITS, until_s)
        site.stop()
        return {"slowest_s": max(_delays_s(edited)), "wrong_slots": _count_wrong(edited, first)}


def _edit(job_id: str) -> datetime:
    """Give the job its new schedule as the admin does; when the edit was committed."""
    soon = db_now() + SOON
    mirror.edit(job_id, {"cron": f"at {soon.isoformat()}"}, by="benchmark")
    return db_now()


def _new_runs(job_ids: Sequence[str]) -> list[JobRun]:
    """The runs under the definition in force."""
    opened = ScheduleEpoch.objects.filter(job__in=job_ids, closed_at=None)
    runs = JobRun.objects.filter(epoch__in=opened.values("pk"), state=RunState.SUCCESS)
    return list(runs.light())


def _count_new(edited: dict[str, datetime]) -> int:
    return len(_new_runs(list(edited)))


def _delays_s(edited: dict[str, datetime]) -> list[float]:
    """From each edit's commit to the start of what it asked for."""
    return [
        (run.started_at - edited[run.job_id]).total_seconds()
        for run in _new_runs(list(edited))
        if run.started_at
    ]


def _count_wrong(edited: dict[str, datetime], first: datetime) -> int:
    """Slots of the schedules before the edits that have no row, or more than one."""
    wrong = 0
    for span in ScheduleEpoch.objects.filter(job__in=edited).exclude(closed_at=None):
        period = timedelta(seconds=PERIOD_S)
        slot = span.opened_at + period
        expected = []
        while slot <= (span.closed_at or slot):
            expected.append(slot)
            slot += period
        rows = JobRun.objects.filter(epoch=span.pk).values_list("slot", flat=True)
        if not expected or expected[0] > first + period:
            raise WrongRecordError(f"{span} had no slot before its edit")
        wrong += len(expected) - len(set(rows) & set(expected)) + len(set(rows) - set(expected))
    return wrong
