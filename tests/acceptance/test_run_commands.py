"""`run_job --follow`, `cancel_run` and management commands as jobs, with a scheduler beside them."""

from __future__ import annotations

import json
import signal

from scheduler_app.models import JobRun
from scheduler_app.states import RunState
from tests.factories import declaration
from tests.site import kill, states

NEVER = "0 0 1 1 *"


def command(job_id: str, name: str, **fields):
    declared = declaration(job_id, callable=f"management:{name}", cron=NEVER, **fields)
    del declared["module"]
    return declared


def test_follow_shows_output_and_progress_while_the_job_runs(site, wait_until):
    site.declare(declaration("long", callable="talk_and_wait", kwargs={"seconds": 4}, cron=NEVER))
    site.scheduler()
    follow = site.manage("run_job", "long", "--follow")
    wait_until(lambda: "on my way" in follow.out and "50 % half way" in follow.err, 20)
    assert follow.process.poll() is None
    assert follow.wait() == 0
    assert follow.out.count("on my way") == 1
    assert "SUCCESS" in follow.out


def test_follow_leaves_stdout_to_json(site):
    site.declare(declaration("good", callable="speak", cron=NEVER))
    site.scheduler()
    follow = site.manage("run_job", "good", "--follow", "--format", "json")
    assert follow.wait() == 0
    assert json.loads(follow.out)["state"] == "SUCCESS"
    assert "a printed line" in follow.err


def test_ctrl_c_leaves_the_run_going_and_says_how_to_stop_it(site, wait_until):
    site.declare(declaration("long", callable="talk_and_wait", cron=NEVER))
    scheduler = site.scheduler()
    follow = site.manage("run_job", "long", "--follow")
    wait_until(lambda: "on my way" in follow.out, 20)
    follow.process.send_signal(signal.SIGINT)
    assert follow.wait() == 130
    run = JobRun.objects.get()
    assert f"Run {run.pk} goes on. To stop it: manage.py cancel_run {run.pk}" in follow.err
    assert "Traceback" not in follow.err
    assert run.state == RunState.RUNNING
    kill(scheduler)


def test_cancel_run_cancels_what_waits_and_says_what_has_ended(site):
    site.declare(declaration("a", cron=NEVER))
    site.manage("sync_jobs").wait()
    site.manage("run_job", "a").wait()
    run = JobRun.objects.get()
    first = site.manage("cancel_run", str(run.pk))
    assert first.wait() == 0
    second = site.manage("cancel_run", str(run.pk))
    assert second.wait() == 2
    run.refresh_from_db()
    assert (run.state, run.cancel_by) == (RunState.CANCELLED, "command line")
    assert "it had not begun" in first.err
    assert "has ended already: cancelled" in second.err
    nobody = site.manage("cancel_run", "999")
    assert nobody.wait() == 2
    assert "There is no run 999." in nobody.err


def test_cancel_run_ends_a_process_and_asks_a_thread(site, wait_until):
    forty = {"callable": "wait", "kwargs": {"seconds": 40}, "cron": NEVER}
    site.declare(declaration("process", timeout_s=60, **forty), declaration("thread", **forty))
    scheduler = site.scheduler()
    for job_id in ("process", "thread"):
        site.manage("run_job", job_id)
        wait_until(lambda job_id=job_id: states(job_id) == ["RUNNING"], 20)
        cancel = site.manage("cancel_run", str(JobRun.objects.get(job=job_id).pk))
        assert cancel.wait() == 0
        assert "one in a thread stops when it looks" in " ".join(cancel.err.split())
    wait_until(lambda: states("process") == ["CANCELLED"], 20)
    assert JobRun.objects.get(job="thread").cancel_by == "command line"
    assert states("thread") == ["RUNNING"]
    kill(scheduler)


def test_management_commands_run_under_the_scheduler(site):
    site.declare(
        command("tidy", "clearsessions"),
        command("thread", "check", args=["auth"], kwargs={"verbosity": 2}),
        command("process", "check", timeout_s=60),
        command("wrong", "migrate", args=["no_such_app"]),
    )
    site.scheduler()
    runs = {
        job_id: site.manage("run_job", job_id, "--wait")
        for job_id in ("tidy", "thread", "process", "wrong")
    }
    codes = {job_id: run.wait() for job_id, run in runs.items()}
    assert codes == {"tidy": 0, "thread": 0, "process": 0, "wrong": 1}
    assert "System check identified" in runs["thread"].out
    assert "System check identified" in runs["process"].out
    assert "CommandError: No installed app with label" in runs["wrong"].out
    for job_id, code in codes.items():
        assert states(job_id) == ["FAILED" if code else "SUCCESS"]
