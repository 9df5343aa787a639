"""The fork server imports the modules of the job file, and what breaks there breaks only its own jobs."""

from __future__ import annotations

import textwrap

import pytest

from scheduler_app import claims
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.states import OPEN_STATES, RunState
from tests.factories import declaration

pytestmark = pytest.mark.timeout(120)

WHERE = """
    import os
    PARENT = os.getpid()
    def work(): return "imported before" if PARENT != os.getpid() else "imported here"
    """
THREAD = """
    import threading
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    def work(): return "works"
    """
BREAKING = {
    "raises": "raise ValueError('broken at import')",
    "exits": "import os; os._exit(7)",
    "hangs": "import time; time.sleep(3600)",
    "dies": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.fixture
def modules(tmp_path, site):
    """`modules(name, code)` writes a module that jobs of the site can name."""
    site.env["PYTHONPATH"] = str(tmp_path)

    def write(name, code):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))

    return write


def job(name, **fields):
    fields = {
        "module": name,
        "callable": "work",
        "cron": "0 0 1 1 *",
        "isolation": "process",
        **fields,
    }
    return declaration(name, **fields)


def run(name, wait_until):
    asked = claims.request_run(ScheduledJob.objects.get(pk=name))
    wait_until(lambda: not JobRun.objects.filter(pk=asked.pk, state__in=OPEN_STATES).exists(), 40)
    return JobRun.objects.get(pk=asked.pk)


def started(site):
    return [record["left_out"] for record in site.logged("fork_server_started")]


def test_module_that_breaks_at_import_breaks_its_own_job_alone(site, modules, wait_until):
    modules("good", WHERE)
    modules("starts_thread", THREAD)
    for name, code in BREAKING.items():
        modules(name, code)
    names = [name for name in BREAKING if name != "hangs"]
    site.declare(*map(job, ["good", "starts_thread", *names]), job("hangs", timeout_s=2))
    site.scheduler()
    assert run("good", wait_until).result == "imported before"
    assert run("starts_thread", wait_until).result == "works"
    ends = {name: run(name, wait_until) for name in BREAKING}
    assert {name: end.state for name, end in ends.items()} == {
        **dict.fromkeys(BREAKING, RunState.FAILED),
        "hangs": RunState.TIMEOUT,
    }
    assert "broken at import" in ends["raises"].error
    assert "exit code 7" in ends["exits"].error
    (left_out,) = started(site)
    assert set(left_out) == {*BREAKING, "starts_thread"}


def test_changed_code_is_used_by_the_next_run(site, modules, wait_until):
    modules("report", "def work(): return 'old'")
    site.declare(job("report"))
    site.scheduler()
    assert run("report", wait_until).result == "old"
    modules("report", "def work(): return 'new!'")
    wait_until(lambda: run("report", wait_until).result == "new!", 20)
    assert len(started(site)) >= 2


def test_child_of_the_old_code_runs_to_its_end(site, modules, wait_until, tmp_path):
    modules(
        "slow",
        f"""
        import time
        from pathlib import Path
        def work():
            Path({str(tmp_path / "begun")!r}).touch()
            while not Path({str(tmp_path / "go")!r}).exists():
                time.sleep(0.05)
            return 'old'
        """,
    )
    modules("quick", "def work(): return 'old'")
    site.declare(job("slow"), job("quick"))
    site.scheduler()
    slow = claims.request_run(ScheduledJob.objects.get(pk="slow"))
    wait_until((tmp_path / "begun").exists, 20)
    modules("quick", "def work(): return 'new!'")
    wait_until(lambda: run("quick", wait_until).result == "new!", 20)
    assert JobRun.objects.get(pk=slow.pk).state == RunState.RUNNING
    (tmp_path / "go").touch()
    wait_until(lambda: JobRun.objects.get(pk=slow.pk).state == RunState.SUCCESS, 10)
    assert JobRun.objects.get(pk=slow.pk).result == "old"


def test_job_file_that_cannot_be_read_leaves_the_server_usable(site, wait_until):
    """Its modules are imported by the children."""
    site.declare(job("tests.jobs".replace(".", "_"), module="tests.jobs", callable="succeed"))
    site.scheduler()
    assert run("tests_jobs", wait_until).state == RunState.SUCCESS
    site._jobs.write_text("no JSON")
    assert run("tests_jobs", wait_until).state == RunState.SUCCESS
