"""A thousand jobs that all fail at one instant, beside a thousand that succeed: what alerts cost the results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from alerts_app.models import AlertRecord
from benchmarks.engine import plans, records
from benchmarks.measure import Figures, Goal, Measure, take_turns
from benchmarks.site import opened
from benchmarks.stage import Stage
from benchmarks.trial import WrongRecordError
from scheduler_app.models import JobRun
from scheduler_app.states import RunState

COUNT = 1000
PATIENCE_S = 60.0


def failing(stage: Stage) -> Sequence[Measure]:
    good, bad = take_turns(
        stage.runs,
        partial(_burst, stage, "note", RunState.SUCCESS),
        partial(_burst, stage, "fail", RunState.FAILED),
    )
    return (
        Measure(
            name="1,000 failing at once: until all are final",
            unit="s",
            ours=bad["seconds"],
            peer=good["seconds"],
            peer_name="Vigil, 1,000 succeeding",
            goal=Goal(ratio_most=2),
        ),
    )


def _burst(stage: Stage, body: str, state: RunState) -> Figures:
    return plans.in_time(partial(_attempt, stage, body, state), COUNT)


def _attempt(stage: Stage, body: str, state: RunState, lead: timedelta) -> Figures:
    with opened(stage, "postgresql") as site:
        due = plans.next_second(plans.now() + lead)
        plans.make_jobs(plans.due_at_instant(due, COUNT), body=body)
        site.settle()
        site.ready_scheduler()
        plans.wait_for_due(due)
        until_s = due.timestamp() + PATIENCE_S
        ended = JobRun.objects.filter(state=state)
        seconds = records.wait_for(ended.count, COUNT, until_s) - due.timestamp()
        site.stop()
        alerts, wanted = AlertRecord.objects.count(), COUNT if state == RunState.FAILED else 0
        if alerts != wanted:
            raise WrongRecordError(f"{alerts} alerts were opened for {wanted} failing jobs")
        return {"seconds": seconds}
