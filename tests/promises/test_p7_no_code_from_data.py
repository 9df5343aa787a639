"""P7: no web request, row or message makes a process import or call what is not allow-listed."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from scheduler_app import callables, claims, jobfile, mirror, requests
from scheduler_app.errors import ForbiddenCallableError
from scheduler_app.models import JobRun, ScheduledJob
from tests.environment import ROOT
from tests.factories import declaration, make_job


@pytest.fixture
def job(db):
    return make_job("a")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("subprocess", "run"),
        ("", "management:flush"),
        ("project.demo", "management:flush"),  # an allowed module allows no command
        ("management:flush", "run"),
    ],
)
def test_row_that_names_foreign_code_is_refused_before_anything_is_imported(job, module, name):
    ScheduledJob.objects.update(module=module, callable=name)
    with pytest.raises(ForbiddenCallableError, match="not named by the job file"):
        requests.run_now("a", requested_by="mallory")


def test_command_is_allowed_by_its_own_entry_alone(settings, job):
    allowed = ["management:clearsessions", "project.demo"]
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": allowed}
    assert callables.resolve("", "management:clearsessions")
    for module in ("", "management:clearsessions", "project.demo"):
        with pytest.raises(ForbiddenCallableError):
            callables.resolve(module, "management:flush")


def test_looking_at_a_forged_job_imports_nothing(job, admin_client):
    sys.modules.pop("this", None)
    ScheduledJob.objects.update(module="this", callable="s")
    assert admin_client.get("/jobs/a/").status_code == 200
    data = {"action": "run_now", "_selected_action": ["a"]}
    assert admin_client.post("/admin/scheduler_app/scheduledjob/", data).status_code == 200
    assert "this" not in sys.modules


def test_editing_cannot_change_what_is_called(job):
    with pytest.raises(ValueError, match="module"):
        mirror.edit("a", {"module": "os"}, by="mallory")


def test_forged_row_is_not_run_by_a_scheduler(site, wait_until):
    site.declare(declaration("a", cron="0 0 1 1 *"))
    site.scheduler()
    for module, name in (("pathlib", "Path"), ("", "management:sendtestemail")):
        ScheduledJob.objects.update(module=module, callable=name, args=["forged"])
        run = claims.request_run(ScheduledJob.objects.get(pk="a"))
        wait_until(lambda run=run: JobRun.objects.get(pk=run.pk).finished_at)
        run.refresh_from_db()
        assert (name, run.state) == (name, "FAILED")
        assert "ForbiddenCallableError" in run.error


def test_job_file_is_what_allows(settings):
    settings.VIGIL_SCHEDULER = {"JOB_FILE": "project.scheduler_config"}
    allowed = callables.declared()
    assert ("notifications_app.jobs", "send_alert_notifications") in allowed
    assert all(
        (job.module, job.callable) in allowed
        for job in jobfile.load("project.scheduler_config").jobs
    )


def test_no_module_of_ours_unpickles_anything():
    found = []
    for app in ("scheduler_app", "alerts_app", "notifications_app", "project"):
        for path in (ROOT / app).rglob("*.py"):
            found += [f"{path}: {name}" for name in _imports(path) if name in UNPICKLERS]
    assert found == []


UNPICKLERS = ("pickle", "marshal", "shelve", "dill", "cloudpickle")


def _imports(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return [name.partition(".")[0] for name in names]
