"""What a body leaves behind in its process reaches neither the scheduler nor the run after it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import Group

from scheduler_app import claims
from scheduler_app.models import JobRun, Node, ScheduledJob
from scheduler_app.states import OPEN_STATES, RunState
from tests.factories import declaration

pytestmark = pytest.mark.timeout(120)
OPEN = "left a transaction open on the database default"

# body -> (state, part of the result, part of the error)
ENDS = {
    "leave_transaction": (RunState.FAILED, "", OPEN),
    "leave_atomic_block": (RunState.FAILED, "", OPEN),
    "switch_autocommit_off": (RunState.FAILED, "", OPEN),
    "leave_transaction_async": (RunState.FAILED, "", OPEN),
    "skip_inside_transaction": (RunState.FAILED, "", OPEN),
    "fail_inside_transaction": (RunState.FAILED, "", "ValueError: boom"),
    "commit_by_hand": (RunState.SUCCESS, "", ""),
    "change_session": (RunState.SUCCESS, "", ""),
    "break_wrappers": (RunState.SUCCESS, "", ""),
    "use_pool": (RunState.SUCCESS, "[1, 2]", ""),
    "query_in_pool": (RunState.SUCCESS, "[4, true]", ""),
    "fork_and_return": (RunState.SUCCESS, "ended with 0", ""),
    "fork_and_fail": (RunState.SUCCESS, "ended with 1", ""),
    "replace_stdout": (RunState.SUCCESS, "", ""),
    "close_stdout": (RunState.SUCCESS, "", ""),
    "write_bytes": (RunState.SUCCESS, '["utf-8", false, true, "w"]', ""),
    "return_hostile_value": (RunState.FAILED, "", "SystemExit: 3"),
    "raise_hostile_error": (RunState.FAILED, "", "HostileError (cannot be shown)"),
    "generate": (RunState.SUCCESS, "generated", ""),
    "generate_async": (RunState.SUCCESS, "", ""),
    "return_awaitable": (RunState.SUCCESS, "awaited", ""),
    "return_map": (RunState.SUCCESS, "", ""),
    "return_future": (RunState.SUCCESS, "worked", ""),
    "silence_logging": (RunState.SUCCESS, "", ""),
    "remove_handlers": (RunState.SUCCESS, "", ""),
    "change_process": (RunState.SUCCESS, "", ""),
    "change_context": (RunState.SUCCESS, "", ""),
}
FORKING = ("use_pool", "query_in_pool", "fork_and_return", "fork_and_fail")
REFUSED = (RunState.FAILED, "", "Write 'isolation': 'process' for this job.")
LAZY = ("generate", "generate_async", "return_awaitable", "return_map", "return_future")
SAID_IN_A_THREAD = {
    "silence_logging": ("the configuration of logging",),
    "remove_handlers": ("the configuration of logging",),
    "change_process": ("the working directory", "the locale", "the default timeout of sockets"),
}


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "lazy"


def body(name, isolation, **fields):
    return declaration(
        name, module="tests.misbehaving_jobs", callable=name, isolation=isolation,
        overlap="parallel", cron="0 0 1 1 *", **fields,
    )  # fmt: skip


def start_site(site, isolation, *names, threads="1", **kwargs_of):
    bodies = [body(name, isolation, kwargs=kwargs_of.get(name, {})) for name in names]
    site.declare(*bodies, body("witness", isolation, kwargs={"mark": "?"}))
    return site.scheduler("--threads", threads)


def ask(name, **params):
    return claims.request_run(ScheduledJob.objects.get(pk=name), params=params or None)


def ended(runs, wait_until, timeout_s=60):
    ids = [run.pk for run in runs]
    wait_until(
        lambda: not JobRun.objects.filter(pk__in=ids, state__in=OPEN_STATES).exists(), timeout_s
    )
    return [JobRun.objects.get(pk=pk) for pk in ids]


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_body_that_leaves_something_behind_harms_no_other(site, wait_until, trace, isolation):
    """One thread runs each body, and after each a witness, which finds what the first witness found."""
    process = start_site(
        site, isolation, *ENDS, **{name: {"path": f"{trace}.{name}"} for name in LAZY}
    )
    asked = [ask("witness", mark="before")]
    for name in ENDS:
        asked += [ask(name), ask("witness", mark=f"after {name}")]
    first, *others = ended(asked, wait_until)
    wanted = json.loads(first.result)
    for run, seen in zip(others[::2], others[1::2], strict=True):
        is_refused = isolation == "thread" and run.job_id in FORKING
        state, result, error = REFUSED if is_refused else ENDS[run.job_id]
        assert run.state == state, (run.job_id, run.error, run.traceback)
        assert result in run.result
        assert error in run.error
        assert seen.state == RunState.SUCCESS, (run.job_id, seen.error, seen.traceback)
        assert json.loads(seen.result) == wanted, run.job_id
        assert f"printed by after {run.job_id}" in seen.log
        assert f"logged by after {run.job_id}" in seen.log
        said = SAID_IN_A_THREAD.get(run.job_id, ()) if isolation == "thread" else ()
        assert [part for part in said if part not in run.log] == []
    names = {f"after {name}" for name in ENDS} | {"before", "committed by hand"}
    assert set(Group.objects.values_list("name", flat=True)) == names
    assert {Path(f"{trace}.{name}").read_text() for name in LAZY} == {"xxx"}
    assert len(list(site.logged("job_run_start"))) == len(asked)
    assert process.stop() == 0


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_output_of_a_neighbour_stays_its_own_while_a_body_redirects(
    site, wait_until, tmp_path, isolation
):
    path = {"path": str(tmp_path / "go")}
    names = ("redirect_and_wait", "print_beside")
    start_site(site, isolation, *names, threads="2", **dict.fromkeys(names, path))
    redirecting, beside = ended([ask(name) for name in names], wait_until)
    assert (redirecting.state, redirecting.log) == (RunState.SUCCESS, "")
    assert (beside.state, beside.log) == (RunState.SUCCESS, "seen\n")


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_process_that_a_body_forks_neither_holds_the_lock_nor_hears_of_the_stop(
    site, wait_until, tmp_path, isolation
):
    path = tmp_path / "pid"
    first = start_site(
        site, isolation, "fork_and_leave_running", fork_and_leave_running={"path": str(path)}
    )
    (run,) = ended([ask("fork_and_leave_running")], wait_until)
    assert run.state == RunState.SUCCESS
    pid = int(path.read_text())
    try:
        assert first.stop() == 0
        assert site.scheduler().stop() == 0
        if isolation == "thread":  # a process of its own takes with it what it leaves behind
            psutil.Process(pid).send_signal(signal.SIGTERM)
        wait_until(
            lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 5
        )
    finally:
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()


def test_logging_that_a_running_body_switched_off_is_restored_at_once(site, wait_until, tmp_path):
    path = tmp_path / "go"
    name = "silence_logging_and_wait"
    start_site(site, "thread", name, threads="2", **{name: {"path": str(path)}})
    silent = ask(name)
    wait_until(lambda: list(site.logged("process_state_restored")), 10)
    (witness,) = ended([ask("witness", mark="beside")], wait_until)
    assert "logged by beside" in witness.log
    path.touch()
    (run,) = ended([silent], wait_until)
    assert "the configuration of logging" in run.log


def test_thread_that_dies_is_replaced_and_counted(site, wait_until):
    start_site(site, "thread", "end_other_threads", threads="4")
    ended([ask("end_other_threads")], wait_until)
    runs = ended([ask("witness", mark=f"after {n}") for n in range(8)], wait_until)
    wait_until(lambda: len(list(site.logged("job_thread_died"))) >= 1, 15)
    assert {run.state for run in runs} == {RunState.SUCCESS}
    wait_until(lambda: Node.objects.get().threads_died >= 1, 10)


def test_run_keeps_what_it_used(site, wait_until):
    names = ("use_processor", "allocate")
    bodies = [
        body("use_processor", "process", kwargs={"seconds": 0.3}),
        body("allocate", "process", kwargs={"megabytes": 120}),
    ]
    site.declare(*bodies, body("witness", "thread", kwargs={"mark": "counted"}))
    site.scheduler()
    busy, big, witness = ended([*map(ask, names), ask("witness")], wait_until)
    assert 0.3 <= busy.cpu_s < 5
    assert big.peak_memory_mb > busy.peak_memory_mb + 100
    assert (busy.queries, witness.queries, witness.peak_memory_mb) == (0, 2, None)
    assert 0 < witness.cpu_s < 5


def test_memory_limit_ends_in_a_memory_error_of_that_run_alone(site, wait_until):
    site.declare(
        {**body("allocate", "", kwargs={"megabytes": 300}), "memory_mb": 100},
        {**body("use_processor", "", kwargs={"seconds": 0.01}), "memory_mb": 100},
    )
    site.scheduler()
    big, small = ended([ask("allocate"), ask("use_processor")], wait_until)
    assert (big.state, big.error.partition(":")[0]) == (RunState.FAILED, "MemoryError")
    assert small.state == RunState.SUCCESS
