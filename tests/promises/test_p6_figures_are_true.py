from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler_app import ledger, metrics, recount, retention
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import (
    DurationTally,
    JobRun,
    LastRun,
    RunTally,
    ScheduledJob,
)
from scheduler_app.states import FAILED_STATES, FINAL_STATES, RunState
from tests.factories import make_job, start_run

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("end"), st.sampled_from([*FINAL_STATES]), st.sampled_from([0, 20, 100, 200])
        ),
        st.tuples(st.just("prune"), st.just(""), st.just(0)),
    ),
    max_size=12,
)


def end_twice(job_id: str, state: str, days: int) -> None:
    """A result that the writer hands over two times, as after an unclear commit."""
    run = start_run(job_id)
    result = RunResult(
        run_id=run.pk,
        token=run.token,
        state=RunState(state),
        started_at=db_now() - days * DAY,
        finished_at=db_now() - days * DAY,
        duration_ms=3.0,
    )
    ledger.finish([result, result])
    ledger.finish([result])


def shown(now: datetime) -> dict[str, int]:
    (found,) = metrics.snapshot(now)["jobs"]
    names = ("success_count", "failure_count", "missed_count", "skipped_count")
    return {name: found[name] for name in names}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_figures_equal_rows_and_pruned_whatever_happens(db, steps):
    for model in (JobRun, RunTally, DurationTally, LastRun, ScheduledJob):
        model.objects.all().delete()
    make_job("a")
    ends = [state for verb, state, _ in steps if verb == "end"]
    for verb, state, days in steps:
        if verb == "prune":
            retention.prune(db_now())
        else:
            end_twice("a", state, days)
    assert recount.differences() == []
    assert shown(db_now()) == {
        "success_count": ends.count(RunState.SUCCESS),
        "failure_count": sum(state in FAILED_STATES for state in ends),
        "missed_count": ends.count(RunState.MISSED),
        "skipped_count": ends.count(RunState.SKIPPED),
    }
