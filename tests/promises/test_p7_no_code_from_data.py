"""P7: no web request, row or message makes a process import or call what is not allow-listed."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize(("module", "name"), [("os", "system"), ("subprocess", "run")])
def test_row_that_names_foreign_code_is_refused_before_anything_is_imported(job, module, name):
    ScheduledJob.objects.update(module=module, callable=name)
    with pytest.raises(ForbiddenCallableError, match="not named by the job file"):
        requests.run_now("a", requested_by="mallory")


def test_editing_cannot_change_what_is_called(job):
    with pytest.raises(ValueError, match="module"):
        mirror.edit("a", {"module": "os"}, by="mallory")


def test_forged_row_is_not_run_by_a_scheduler(site, wait_until):
    site.declare(declaration("a", cron="0 0 1 1 *"))
    site.scheduler()
    target = site.folder / "forged"
    ScheduledJob.objects.update(module="pathlib", callable="Path", args=[str(target)])
    run = claims.request_run(ScheduledJob.objects.get(pk="a"))
    wait_until(lambda: JobRun.objects.get(pk=run.pk).finished_at)
    run.refresh_from_db()
    assert run.state == "FAILED"
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
