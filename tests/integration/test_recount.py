from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db.models import F

from notifications_app.models import ChannelTally
from scheduler_app import ledger, metrics, recount
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, RunTally
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.recount import Difference
from scheduler_app.states import RunState
from tests.factories import make_job, start_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_runs():
    """Job a succeeded twice and failed once; totals and rows agree."""
    make_job("a")
    for state in (RunState.SUCCESS, RunState.SUCCESS, RunState.FAILED):
        run = start_run("a")
        result = RunResult(
            run_id=run.pk,
            token=run.token,
            state=state,
            started_at=db_now(),
            finished_at=db_now(),
            duration_ms=1.0,
        )
        ledger.finish([result])


def break_total(by: int = 5) -> None:
    RunTally.objects.filter(hour=ALL_TIME, state="SUCCESS").update(total=F("total") + by)


WRONG = Difference(figure="runs", key=("a", "SUCCESS"), shown=7, true=2)


def test_true_totals_have_no_difference():
    start_run("a")  # counts when it has ended
    assert recount.differences() == []


def test_a_wrong_total_is_found():
    break_total()
    assert recount.differences() == [WRONG]


def test_rows_without_a_total_are_found():
    RunTally.objects.filter(hour=ALL_TIME, state="FAILED").delete()
    assert recount.differences() == [
        Difference(figure="runs", key=("a", "FAILED"), shown=0, true=1)
    ]


def test_slots_of_a_range_are_counted_each():
    ledger.insert_final(
        [
            JobRun(
                job_id="a", state="MISSED", trigger="SCHEDULE", slot=db_now(), slot_count=4,
                ready_at=db_now(), queued_at=db_now(), finished_at=db_now(),
            )
        ]
    )  # fmt: skip
    assert recount.differences() == []
    assert RunTally.objects.get(hour=ALL_TIME, state="MISSED").total == 4


def test_what_was_pruned_counts_as_if_it_were_there():
    JobRun.objects.filter(state="FAILED").delete()
    RunTally.objects.filter(hour=ALL_TIME, state="FAILED").update(pruned=1)
    assert recount.differences() == []


def test_attempts_of_channels_are_compared_as_well():
    ChannelTally.objects.create(hour=ALL_TIME, channel="SMS", outcome="SENT", total=3, pruned=2)
    assert recount.differences() == [
        Difference(figure="attempts", key=("SMS", "SENT"), shown=3, true=2)
    ]


def test_fix_makes_every_view_true():
    break_total()
    RunTally.objects.filter(hour=ALL_TIME, state="FAILED").delete()
    assert len(recount.fix()) == 2
    assert recount.differences() == recount.fix() == []
    (job,) = metrics.snapshot(db_now())["jobs"]
    assert (job["success_count"], job["failure_count"]) == (2, 1)


def test_command_says_what_differs_and_ends_with_one(capsys):
    break_total()
    with pytest.raises(SystemExit) as ended:
        call_command("recount", "--format", "json")
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out) == [
        {"figure": "runs", "of": "a", "counts": "SUCCESS", "shown": 7, "true": 2}
    ]


def test_command_fixes(capsys):
    break_total()
    call_command("recount", "--fix")
    assert capsys.readouterr().out.split()[-5:] == ["runs", "a", "SUCCESS", "7", "2"]
    call_command("recount")
    assert "0 totals differ" in capsys.readouterr().err
