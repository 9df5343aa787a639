"""Since when and how often in a row a job fails or is missed: compared with a reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scheduler_app import ledger, retention, rollups
from scheduler_app.assignments import EndedRun
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, LastMiss, LastRun
from scheduler_app.states import FAILED_STATES, FINAL_STATES, Reason, RunState, RunTrigger
from tests.factories import make_job
from tests.integration.pages.conftest import finish

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BATCHES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([*FINAL_STATES]), st.integers(1, 3)),
        min_size=1,
        max_size=5,
    ),
    max_size=8,
)


def ended(numbers, job_id, state, slots=1) -> EndedRun:
    number = next(numbers)
    at = BEGIN + timedelta(minutes=number)
    return EndedRun(
        pk=number,
        job_id=job_id,
        state=state,
        reason=Reason.NONE,
        slot_count=slots,
        ready_at=at,
        started_at=None if state == RunState.MISSED else at,
        finished_at=at,
        duration_ms=1.0,
        error="boom",
    )


def failures_of(runs) -> tuple[datetime | None, int]:
    """Since when and how often in a row the newest of `runs` failed: by going back from the end."""
    since, times = None, 0
    for run in reversed(runs):
        if run.state == RunState.SUCCESS:
            break
        if run.state in FAILED_STATES:
            since, times = run.finished_at, times + 1
    return since, times


def misses_of(runs) -> tuple[datetime | None, int]:
    """Since when and how many slots were missed after the last run that did something."""
    since, slots = None, 0
    for run in reversed(runs):
        if run.state in (RunState.SUCCESS, *FAILED_STATES):
            break
        if run.state == RunState.MISSED:
            since, slots = run.finished_at, slots + run.slot_count
    return since, slots


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=BATCHES)
@example(
    batches=[[("a", RunState.MISSED, 1), ("a", RunState.SUCCESS, 1), ("a", RunState.MISSED, 1)]]
)
def test_streaks_are_those_of_the_history_however_it_was_written(db, batches):
    for model in (LastRun, LastMiss):
        model.objects.all().delete()
    numbers, history = count(1), {"a": [], "b": []}
    for batch in batches:
        runs = [ended(numbers, *one) for one in batch]
        for run in runs:
            history[run.job_id].append(run)
        rollups.note_last(runs)
    for job_id, runs in history.items():
        last = LastRun.objects.filter(pk=job_id).first()
        kept = (last.failing_since, last.failures_in_row) if last else (None, 0)
        assert kept == failures_of(runs)
        miss = LastMiss.objects.filter(pk=job_id).first()
        is_over = miss is None or (last is not None and last.finished_at > miss.missed_at)
        assert (None, 0) if is_over else (miss.since, miss.slots) == misses_of(runs)


@pytest.mark.parametrize("after", [RunState.SKIPPED, RunState.CANCELLED])
def test_a_failure_that_something_undone_followed_lasts(after):
    numbers = count(1)
    rollups.note_last([ended(numbers, "a", RunState.FAILED), ended(numbers, "a", RunState.LOST)])
    rollups.note_last([ended(numbers, "a", after)])
    last = LastRun.objects.get()
    assert (last.state, last.failures_in_row) == (RunState.LOST, 2)
    assert last.failing_since == BEGIN + timedelta(minutes=1)


def test_a_prune_leaves_what_is_failing_as_it_is():
    make_job("a")
    finish("a", RunState.FAILED, error="boom")
    finish("a", RunState.FAILED, error="boom")
    before = LastRun.objects.values().get()
    JobRun.objects.update(finished_at=db_now() - timedelta(days=400))
    retention.prune(db_now())
    assert not JobRun.objects.exists()
    assert LastRun.objects.values().get() == before
    finish("a", RunState.TIMEOUT, error="boom")
    assert LastRun.objects.get().failures_in_row == 3
    assert LastRun.objects.get().failing_since == before["failing_since"]


def test_a_missed_slot_of_the_ledger_is_kept_until_a_run_ends():
    make_job("a")
    slot = db_now() - timedelta(hours=1)
    ledger.insert_final(
        [
            JobRun(
                job_id="a", trigger=RunTrigger.SCHEDULE, slot=slot, slot_count=4, ready_at=slot,
                queued_at=slot, state=RunState.MISSED, finished_at=db_now(),
            )
        ]
    )  # fmt: skip
    miss = LastMiss.objects.get()
    assert (miss.job_id, miss.since, miss.slots) == ("a", slot, 4)
    finish("a", RunState.SUCCESS)
    assert LastRun.objects.get().finished_at > miss.missed_at
