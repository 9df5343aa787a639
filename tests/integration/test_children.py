"""Runs in processes of their own: whatever the body does, its end is told, and nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest

from scheduler_app import fork_client, runner
from scheduler_app.assignments import Assignment
from scheduler_app.fork_server import ForkServer
from scheduler_app.states import Reason, RunState
from tests import servers
from tests.environment import ROOT, clean

ALLOWED = ("tests.jobs", "tests.child_jobs")
GRACE_S = 1.0


@pytest.fixture(scope="module", autouse=True)
def fork_server():
    """The one that the first test starts ends with the last."""
    yield
    fork_client.close()


@pytest.fixture(autouse=True)
def quick_grace(settings):
    settings.VIGIL_SCHEDULER = {
        **settings.VIGIL_SCHEDULER,
        "ALLOWED_MODULES": ALLOWED,
        "TERM_GRACE_S": GRACE_S,
    }


@pytest.fixture(autouse=True)
def nothing_left():
    """No process of a run outlives it."""
    yield
    if server := fork_client._server:
        process = psutil.Process(server.process.pid)
        servers.wait_until(lambda: process.children(recursive=True) == [], 1)


def assignment(name, *, timeout_s=30.0, **fields):
    now = datetime.now(UTC)
    module = fields.pop("module", "tests.child_jobs")
    usual = {
        "run_id": 7, "token": "t", "job_id": "a", "job_name": "A", "owner": "olga", "category": "test",
        "slot": now, "attempt": 2, "module": module, "callable": name, "args": [], "kwargs": {},
        "timeout_s": timeout_s, "isolation": "thread", "memory_mb": None,
        "overlap": "skip", "retry_on": [], "ready_at": now, "started_at": now,
        "taken_s": time.monotonic(),
    }  # fmt: skip
    return Assignment(**{**usual, **fields})


def run(name, *, timeout_s=30.0, handle=None, **kwargs):
    task = assignment(name, timeout_s=timeout_s, kwargs=kwargs)
    return runner.execute(task, handle or runner.handle_of(task))


def in_thread(name, **kwargs):
    """Started in a thread: its handle, and a function that waits for its result."""
    fields = {key: kwargs.pop(key) for key in ("timeout_s", "module", "overlap") if key in kwargs}
    task = assignment(name, kwargs=kwargs, **fields)
    handle, results = runner.handle_of(task), []
    thread = threading.Thread(target=lambda: results.append(runner.execute(task, handle)))
    thread.start()

    def result():
        thread.join(20)
        assert not thread.is_alive()
        return results[0]

    return handle, result


def is_alive(pid):
    """A zombie is not, which nobody but init may reap when the fork server is gone."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def assert_gone(path, count):
    """The processes whose numbers are in `path` have ended, and were reaped."""
    pids = [int(line) for line in path.read_text().split()]
    assert len(pids) == count
    servers.wait_until(lambda: not any(map(psutil.pid_exists, pids)), 1)


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
def test_every_end_of_a_body_is_the_one_that_it_has_in_a_thread(name, state, result, error):
    task = assignment(name, module="tests.jobs")
    for one in (task, replace(task, timeout_s=None)):
        ended = runner.execute(one, runner.handle_of(one))
        assert (ended.state, ended.result) == (state, result)
        assert error in ended.error


def test_what_it_says_is_kept_and_its_progress_shown():
    task = assignment("speak", module="tests.jobs")
    handle = runner.handle_of(task)
    result = runner.execute(task, handle)
    assert "INFO tests.jobs: a log line" in result.log
    assert "a printed line" in result.log
    assert (handle.percent, handle.percent_text) == (50, "half way")
    assert result.result == '{"run": 7}'


def test_what_it_says_can_be_followed(wait_until):
    handle, result = in_thread("talk_and_wait", module="tests.jobs")
    wait_until(lambda: handle.percent == 50)
    assert "on my way" in handle.output.text()
    handle.cancel("olga")
    assert result().state == RunState.CANCELLED


def test_skipped_run_has_its_reason():
    result = run("skip")
    assert (result.reason, result.error, result.traceback) == (Reason.BY_JOB, "nothing to do", "")


def test_failure_shows_where_it_was_raised():
    result = run("fail_when_stopped", seconds=0)
    assert 'raise ValueError("the clean-up failed")' in result.traceback
    assert "scheduler_app/body.py" not in result.traceback


def test_arguments_arrive_as_they_are():
    value = {"text": "长💥\n", "list": [1, None, 2.5, True], "big": "x" * 1_000_000}
    result = run("echo", value=value)
    assert '"长💥\\n"' in result.result


def test_megabytes_of_error_result_and_output_are_cut():
    task = assignment("fail_hugely", module="tests.jobs")
    failed = runner.execute(task, runner.handle_of(task))
    assert len(failed.error.encode()) <= 16_384
    assert "💥" in failed.error
    assert len(run("echo", value="长" * 1_000_000).result.encode()) <= 65_536
    log = run("shout", size=20_000_000).log
    assert len(log.encode()) <= 65_536
    assert log.startswith("first")
    assert log.endswith("last\n")


def test_flood_of_lines_keeps_its_first_and_last():
    result = run("flood", lines=30_000)
    assert result.state == RunState.SUCCESS
    assert result.log.startswith("line 0\nline 1\n")
    assert result.log.endswith("line 29998\nline 29999\n")
    assert "left out" in result.log


def test_time_limit_ends_the_child_and_all_of_its_family(tmp_path):
    result = run("family", timeout_s=0.5, path=str(tmp_path / "pids"))
    assert result.duration_ms < 1000 * (0.5 + GRACE_S)
    assert (result.state, result.reason) == (RunState.TIMEOUT, Reason.NONE)
    assert result.error == "stopped after its time limit of 0.5 s"
    assert "all are there" in result.log
    assert "time.sleep(seconds)" in result.traceback
    assert_gone(tmp_path / "pids", 3)


def test_family_that_does_not_hear_is_killed_after_the_grace(tmp_path):
    result = run("deaf_family", timeout_s=0.5, path=str(tmp_path / "pids"))
    assert 500 + 1000 * GRACE_S <= result.duration_ms < 1500 + 1000 * GRACE_S
    assert result.state == RunState.TIMEOUT
    assert result.error.endswith("it did not end when it was asked to (SIGTERM) and was killed")
    assert "all are there" in result.log
    assert_gone(tmp_path / "pids", 3)


@pytest.mark.parametrize("name", ["clean_up", "clean_up_async"])
def test_time_limit_lets_finally_blocks_run(tmp_path, name):
    result = run(name, timeout_s=0.5, path=str(tmp_path / "trace"))
    assert result.state == RunState.TIMEOUT
    assert (tmp_path / "trace").read_text() == "clean"
    assert result.duration_ms < 1000 * (0.5 + GRACE_S)


@pytest.mark.parametrize("name", ["finish_in_spite", "fail_when_stopped"])
def test_body_that_makes_something_else_of_the_limit_is_over_it_all_the_same(name):
    result = run(name, timeout_s=0.3)
    assert (result.state, result.result) == (RunState.TIMEOUT, "")


@pytest.mark.parametrize("name", ["deaf", "hold_the_interpreter"])
def test_body_that_cannot_be_interrupted_is_killed(name):
    result = run(name, timeout_s=0.3)
    assert result.duration_ms < 1000 * (0.3 + GRACE_S + 1)
    assert result.state == RunState.TIMEOUT


def test_body_that_ends_in_time_is_not_over_its_limit():
    result = run("finish_in_spite", timeout_s=5.0, seconds=0.01)
    assert (result.state, result.result) == (RunState.SUCCESS, "finished all the same")


def test_over_its_limit_counts_as_a_timeout_error_for_retries():
    for names, may_retry in ((["TimeoutError"], True), (["ValueError"], False), ([], True)):
        task = assignment("deaf", timeout_s=0.2, retry_on=names)
        assert runner.execute(task, runner.handle_of(task)).may_retry is may_retry


@pytest.mark.parametrize(
    ("names", "may_retry"),
    [(["ValueError"], True), (["builtins.ValueError"], True), (["Exception"], True), (["OSError"], False)],
)  # fmt: skip
def test_error_of_a_child_is_known_by_its_names(names, may_retry):
    task = assignment("fail", module="tests.jobs", retry_on=names)
    assert runner.execute(task, runner.handle_of(task)).may_retry is may_retry


@pytest.mark.parametrize(
    ("name", "argument", "words"),
    [
        ("die", {"number": int(signal.SIGKILL)}, "by signal 9 (SIGKILL) before it reported"),
        ("die", {"number": int(signal.SIGSEGV)}, "by signal 11 (SIGSEGV) before it reported"),
        ("die", {"number": int(signal.SIGTERM)}, "SIGTERM that did not come from Vigil"),
        ("leave_abruptly", {"code": 3}, "with exit code 3 before it reported"),
        ("leave_abruptly", {"code": 0}, "with exit code 0 before it reported"),
    ],
)
def test_child_that_ends_by_itself_has_failed_and_its_last_words_are_kept(name, argument, words):
    result = run(name, **argument)
    assert result.state == RunState.FAILED
    assert words in result.error
    assert result.log == "last words\n"


def test_cancelled_child_ends_with_its_family(tmp_path, wait_until):
    handle, result = in_thread("family", path=str(tmp_path / "pids"))
    wait_until(lambda: "all are there" in handle.output.text())
    handle.cancel("olga")
    ended = result()
    assert (ended.state, ended.reason) == (RunState.CANCELLED, Reason.BY_PERSON)
    assert ended.error == "cancelled by olga"
    assert "all are there" in ended.log
    assert_gone(tmp_path / "pids", 3)


def test_run_without_limit_that_may_be_replaced_can_be_ended(wait_until):
    handle, result = in_thread("deaf", overlap="replace", timeout_s=None)
    wait_until(lambda: "I hear nothing" in handle.output.text())
    handle.cancel("", Reason.REPLACED)
    ended = result()
    assert (ended.state, ended.reason) == (RunState.CANCELLED, Reason.REPLACED)
    assert ended.error == "a newer run took its place"


@pytest.mark.parametrize("timeout_s", [30.0, None])
def test_run_that_is_cancelled_before_it_began_never_begins(tmp_path, timeout_s):
    task = assignment("heed", timeout_s=timeout_s, kwargs={"path": str(tmp_path / "trace")})
    handle = runner.handle_of(task)
    handle.cancel("olga")
    assert runner.execute(task, handle).state == RunState.CANCELLED
    assert not (tmp_path / "trace").exists()


def test_body_in_a_thread_that_looks_can_be_cancelled(tmp_path, wait_until):
    handle, result = in_thread("heed", timeout_s=None, path=str(tmp_path / "trace"))
    wait_until((tmp_path / "trace").exists)
    handle.cancel("olga")
    ended = result()
    assert (ended.state, ended.reason) == (RunState.CANCELLED, Reason.BY_PERSON)
    assert ended.error == "cancelled by olga"


def test_body_in_a_thread_that_does_not_look_goes_on_and_its_result_counts(wait_until):
    handle, result = in_thread("wait", module="tests.jobs", timeout_s=None, seconds=0.5)
    handle.cancel("olga")
    ended = result()
    assert ended.state in (RunState.SUCCESS, RunState.CANCELLED)


@pytest.mark.parametrize("timeout_s", [30.0, None])
def test_body_that_says_it_is_cancelled_although_nobody_asked_has_failed(timeout_s):
    result = run("cancel_itself", timeout_s=timeout_s)
    assert (result.state, result.error) == (RunState.FAILED, "I had enough")


def test_stopping_process_ends_runs_as_lost(wait_until):
    handle, result = in_thread("clean_up", path=os.devnull)
    wait_until(lambda: handle._end is not None)
    assert runner.stop_all() == 1
    ended = result()
    assert (ended.state, ended.reason) == (RunState.LOST, Reason.SHUTDOWN)
    assert ended.error == "the scheduler was stopped"
    assert runner.stop_all() == 0


def test_process_that_the_body_leaves_behind_ends_with_it(tmp_path):
    assert run("leave_a_process_behind", path=str(tmp_path / "pid")).state == RunState.SUCCESS
    assert_gone(tmp_path / "pid", 1)


def test_thread_that_the_body_leaves_behind_has_the_grace(tmp_path):
    result = run("leave_a_thread_behind", path=str(tmp_path / "trace"), seconds=0.3)
    assert result.state == RunState.SUCCESS
    assert (tmp_path / "trace").read_text() == "written"
    assert "from a thread" in result.log
    begin_s = time.monotonic()
    result = run("leave_a_thread_behind", path=str(tmp_path / "late"), seconds=60)
    assert result.state == RunState.SUCCESS
    assert time.monotonic() - begin_s < GRACE_S + 1
    assert not (tmp_path / "late").exists()


def test_what_is_registered_for_the_exit_is_called(tmp_path):
    run("register_at_exit", path=str(tmp_path / "trace"))
    assert (tmp_path / "trace").read_text() == "written"


def test_body_may_have_processes_of_its_own_and_end_them():
    result = run("use_workers")
    assert result.result == "[0, 1, 4, 9, 16, -15]"
    assert all(f"square of {number}" in result.log for number in range(5))


def test_child_begins_clean():
    task = assignment("surroundings")
    handle = runner.handle_of(task)
    assert runner.execute(task, handle).result == (
        '{"leads_its_session": true, "threads": 1, "connected": false, "sigint_is_usual": true, '
        '"blocked": [], "sockets": 1}'
    )


def test_forbidden_callable_is_not_called_and_needs_no_child():
    fork_client.close()
    task = assignment("system", module="os", kwargs={"command": "true"})
    result = runner.execute(task, runner.handle_of(task))
    assert result.state == RunState.FAILED
    assert "os.system is not named by the job file" in result.error
    assert fork_client._server is None


def test_many_at_once_all_end():
    waiting = [in_thread("succeed", module="tests.jobs") for _ in range(40)]
    assert {result().state for _, result in waiting} == {RunState.SUCCESS}


def test_fork_server_that_was_killed_fails_what_ran_and_a_new_one_runs_the_next(
    tmp_path, wait_until
):
    handle, result = in_thread("deaf_family", path=str(tmp_path / "pids"))
    wait_until(lambda: "all are there" in handle.output.text())
    fork_client._server.process.kill()
    ended = result()
    assert ended.state == RunState.FAILED
    assert "watches over" in ended.error
    family = [int(line) for line in (tmp_path / "pids").read_text().split()]
    wait_until(lambda: not any(map(is_alive, family)), 1)
    assert run("echo", value=1).state == RunState.SUCCESS


@pytest.mark.parametrize(
    ("script", "words"),
    [("", "No such file"), ("exit 3", "within 0.5 s (3)"), ("exec sleep 60", "within 0.5 s (-9)")],
)
def test_fork_server_that_cannot_be_started_fails_the_run(monkeypatch, tmp_path, script, words):
    fork_client.close()
    program = tmp_path / "python"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    monkeypatch.setattr(fork_client, "START_S", 0.5)
    result = run("echo", value=1)
    assert result.state == RunState.FAILED
    assert words in result.error


def test_fork_server_that_stands_still_fails_the_run_in_time(monkeypatch):
    monkeypatch.setattr("scheduler_app.children.LATE_S", 0.5)
    run("echo", value=1)
    server = fork_client._server.process
    server.send_signal(signal.SIGSTOP)
    try:
        result = run("echo", value=1)
    finally:
        server.send_signal(signal.SIGCONT)
    assert result.state == RunState.FAILED
    assert "did not start within 0.5 s" in result.error


def test_fork_server_that_may_open_no_more_files_fails_the_run():
    run("echo", value=1)
    server = psutil.Process(fork_client._server.process.pid)
    before = server.rlimit(psutil.RLIMIT_NOFILE)
    server.rlimit(psutil.RLIMIT_NOFILE, (3, before[1]))
    try:
        result = run("echo", value=1)
    finally:
        server.rlimit(psutil.RLIMIT_NOFILE, before)
    assert result.state == RunState.FAILED
    assert "did not take the run" in result.error
    assert run("echo", value=1).state == RunState.SUCCESS


def test_fork_that_the_system_refuses_is_told(monkeypatch):
    def refused():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", refused)
    with contextlib.ExitStack() as stack:
        pairs = [[stack.enter_context(one) for one in socket.socketpair()] for _ in range(3)]
        (control, _), (line, _), (leash, far_leash) = pairs
        server = ForkServer(control)
        for one in (*server._ears, server._selector):
            stack.enter_context(contextlib.closing(one))
        assert server._fork(line, leash) is None
        assert b"Resource temporarily unavailable" in far_leash.recv(1000)


def test_fork_server_has_a_session_of_its_own_so_that_no_kill_of_our_group_takes_it_along():
    run("echo", value=1)
    server = fork_client._server.process.pid
    assert os.getsid(server) == os.getpgid(server) == server


def test_too_many_open_files_fail_the_run_alone(monkeypatch):
    def no_more():
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("socket.socketpair", no_more)
        result = run("echo", value=1)
    assert result.state == RunState.FAILED
    assert "could not be started: [Errno 24] Too many open files" in result.error
    assert run("echo", value=1).state == RunState.SUCCESS


def test_no_descriptor_is_left_open_here():
    run("echo", value=1)
    before = psutil.Process().num_fds()
    for _ in range(5):
        run("echo", value=1)
    assert psutil.Process().num_fds() == before


FROM_CELERY = """
import billiard, django
django.setup()
from scheduler_app import fork_client, runner
from tests.integration.test_children import assignment

def work():
    task = assignment("echo", kwargs={"value": "from Celery"})
    print(runner.execute(task, runner.handle_of(task)).result, flush=True)

runs_here = assignment("echo", kwargs={"value": "from here"})
print(runner.execute(runs_here, runner.handle_of(runs_here)).result, flush=True)
process = billiard.get_context("fork").Process(target=work, daemon=True)
process.start()
process.join()
print(process.exitcode, fork_client._server.is_alive)
"""


def test_runs_from_a_daemonic_process_as_celery_has_them(tmp_path):
    env = clean(SCHEDULER_ALLOWED_MODULES="tests.child_jobs", VAR_DIR=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", FROM_CELERY], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.stdout.split("\n")[:3] == ["from here", "from Celery", "0 True"], done.stderr
