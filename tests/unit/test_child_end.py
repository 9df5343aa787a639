"""What the end of a child means for its run."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from scheduler_app.body import Outcome
from scheduler_app.child_end import ChildEnd, outcome_of
from scheduler_app.conf import SchedulerConf
from scheduler_app.running import Cancellation
from scheduler_app.states import Reason, RunState

OUTCOME = asdict(Outcome(state=RunState.SUCCESS, began_s=1.0, duration_ms=5.0, result="done"))
DONE = {"outcome": OUTCOME, "stopped": False}
STOPPED = {
    "outcome": {**OUTCOME, "state": "FAILED", "result": "", "error": "x", "traceback": "where"},
    "stopped": True,
}
GONE = ChildEnd(began_s=0.5, duration_ms=9.0, report=None, exit_code=0, is_stopped=False)
BY_OLGA = Cancellation("olga", Reason.BY_PERSON)


def judge(end, *, timeout_s=None, cancellation=None):
    settings = SchedulerConf()
    return outcome_of(end, timeout_s=timeout_s, cancellation=cancellation, settings=settings)


@pytest.mark.parametrize(
    "end",
    [
        replace(GONE, report=DONE),
        replace(GONE, report=DONE, is_stopped=True),
        replace(GONE, report=DONE, exit_code=-9, is_stopped=True),
        replace(GONE, report=DONE, exit_code=None, problem="the fork server is gone"),
    ],
)
def test_body_that_ended_by_itself_has_the_last_word(end):
    outcome = judge(end, timeout_s=1, cancellation=BY_OLGA)
    assert (outcome.state, outcome.result, outcome.duration_ms) == (RunState.SUCCESS, "done", 5.0)


@pytest.mark.parametrize("report", [None, STOPPED])
def test_stopped_with_a_time_limit_is_a_timeout(report):
    outcome = judge(replace(GONE, report=report, is_stopped=True), timeout_s=90.0)
    assert (outcome.state, outcome.error) == (
        RunState.TIMEOUT,
        "stopped after its time limit of 90 s",
    )
    assert outcome.traceback == ("where" if report else "")
    assert "TimeoutError" in outcome.kinds


@pytest.mark.parametrize(
    ("cancellation", "state", "error"),
    [
        (BY_OLGA, RunState.CANCELLED, "cancelled by olga"),
        (Cancellation("", Reason.REPLACED), RunState.CANCELLED, "a newer run took its place"),
        (Cancellation("", Reason.SHUTDOWN), RunState.LOST, "the scheduler was stopped"),
    ],
)
def test_stopped_because_somebody_wanted_it_says_who(cancellation, state, error):
    end = replace(GONE, report=STOPPED, is_stopped=True)
    outcome = judge(end, timeout_s=1, cancellation=cancellation)
    assert (outcome.state, outcome.reason, outcome.error) == (state, cancellation.reason, error)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (replace(GONE, exit_code=3), "with exit code 3 before it reported"),
        (replace(GONE, exit_code=-9), "by signal 9 (SIGKILL) before it reported. Its memory may"),
        (replace(GONE, exit_code=-11), "by signal 11 (SIGSEGV) before it reported."),
        (replace(GONE, exit_code=-64), "by signal 64 (SIGRTMAX)"),
        (replace(GONE, exit_code=-50), "by signal 50 (?)"),
        (replace(GONE, report=STOPPED), "SIGTERM that did not come from Vigil"),
        (replace(GONE, exit_code=None, problem="no fork server"), "no fork server"),
    ],
)
def test_any_other_end_is_a_failure_that_says_what_is_known(end, words):
    outcome = judge(end, timeout_s=60)
    assert outcome.state == RunState.FAILED
    assert words in outcome.error


@pytest.mark.parametrize(
    "outcome",
    [{}, {"state": "SUCCESS"}, {**OUTCOME, "state": "NO_STATE"}, {**OUTCOME, "result": 5}, {**OUTCOME, "x": 1}],
)  # fmt: skip
def test_report_that_cannot_be_read_is_none(outcome):
    judged = judge(replace(GONE, report={"outcome": outcome, "stopped": False}))
    assert judged.state == RunState.FAILED


def test_texts_of_a_report_are_made_fit_again():
    report = {"outcome": {**OUTCOME, "result": "\x00" + "x" * 100_000}, "stopped": False}
    result = judge(replace(GONE, report=report)).result
    assert "\x00" not in result
    assert len(result.encode()) <= 65_536
