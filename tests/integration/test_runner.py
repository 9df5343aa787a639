"""What bodies may do to us: every end is stored on every database."""

from __future__ import annotations

import logging

import pytest

from scheduler_app import claims, ledger
from scheduler_app.capture import capturing
from scheduler_app.models import JobRun
from scheduler_app.runner import handle_of, wrap_job_callable
from scheduler_app.running import current_run
from scheduler_app.states import Reason, RunState
from tests.factories import make_job, start_run, sync_allowed

pytestmark = pytest.mark.django_db


@pytest.fixture
def run_body(monkeypatch):
    """Run a callable of tests.jobs as a job and store its result."""

    def run_body(name: str, **kwargs) -> JobRun:
        job = make_job("a", callable=name, kwargs=kwargs)
        sync_allowed(monkeypatch, job)
        run = start_run("a")
        (task,) = claims.taken(run.token)
        with capturing():
            ledger.finish([wrap_job_callable(task, handle_of(task))()])
        run.refresh_from_db()
        return run

    return run_body


@pytest.mark.parametrize(
    ("name", "state", "result", "error"),
    [
        ("succeed", RunState.SUCCESS, "done", ""),
        ("succeed_async", RunState.SUCCESS, "async done", ""),
        ("fail", RunState.FAILED, "", "ValueError: boom"),
        ("leave", RunState.FAILED, "", "SystemExit: 3"),
        ("skip", RunState.SKIPPED, "", "nothing to do"),
        ("return_unshowable", RunState.SUCCESS, "Unshowable (cannot be shown)", ""),
        ("no_such_function", RunState.FAILED, "", "tests.jobs has no 'no_such_function'"),
    ],
)
def test_every_end_is_stored(run_body, name, state, result, error):
    run = run_body(name)
    assert (run.state, run.result) == (state, result)
    assert error in run.error


def test_megabyte_of_error_with_nul_and_emoji_is_cut_and_stored(run_body):
    run = run_body("fail_hugely")
    assert run.state == RunState.FAILED
    assert "💥" in run.error
    assert "\x00" not in run.error
    assert len(run.error.encode()) <= 16_384


def test_megabyte_of_result_is_cut_and_stored(run_body):
    run = run_body("return_hugely")
    assert run.state == RunState.SUCCESS
    assert len(run.result.encode()) <= 65_536


def test_what_is_said_is_kept_and_nothing_of_others(run_body):
    logging.getLogger("tests.other").info("before")
    run = run_body("speak")
    assert "a log line" in run.log
    assert "a printed line" in run.log
    assert "before" not in run.log
    assert current_run() is None


def test_skip_has_its_reason(run_body):
    run = run_body("skip")
    assert (run.reason, run.error) == (Reason.BY_JOB, "nothing to do")


def test_duration_is_the_body_alone(run_body):
    run = run_body("wait", seconds=0.05)
    assert 50 <= run.duration_ms < 1000
    assert run.finished_at >= run.started_at
