"""Vigil installed from its wheel into an empty environment, and used in a stock Django project as the docs say."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import packages
from tests.environment import ROOT
from tests.foreign import SETTINGS, ForeignProject
from tests.servers import stop_all

FAILING = """
def fail():
    raise RuntimeError("the warehouse does not answer")


JOBS.append({
    "id": "failing", "name": "Failing", "module": "mysite.jobs", "callable": "fail", "cron": "0 0 1 1 *",
    "owner": "admin", "category": "tests", "description": "",
})
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    sources = packages.copy_sources(folder / "sources")
    packages.pip(sys.executable, "wheel", "--quiet", "--no-deps", "-w", str(folder), str(sources))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Of an environment with the wheel and what it requires, nothing else."""
    return packages.make_venv(tmp_path_factory.mktemp("venv") / "venv", str(wheel))


@pytest.fixture
def project(python, tmp_path):
    made = new_project(python, tmp_path / "project")
    yield made
    stop_all(made.started)


def new_project(python: Path, folder: Path) -> ForeignProject:
    folder.mkdir()
    made = ForeignProject(python, folder)
    for file, text in packages.documented("foreign-project.md").items():
        made.add(file, text)
    return made


def names_in(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_has_what_the_apps_need_and_nothing_else(wheel):
    wanted = {
        str(path.relative_to(ROOT))
        for app in packages.PACKAGES
        for path in (ROOT / app).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".mo")
    }
    catalogues = {str(Path(name).with_suffix(".mo")) for name in wanted if name.endswith(".po")}
    found = {name for name in names_in(wheel) if ".dist-info/" not in name}
    assert len(catalogues) == len(packages.PACKAGES)
    assert found == wanted | catalogues


def test_a_source_distribution_gives_the_same_wheel(wheel, tmp_path):
    python = packages.make_venv(tmp_path / "venv", "setuptools>=77", "polib")
    sources = packages.copy_sources(tmp_path / "sources")
    build = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    subprocess.run([str(python), "-c", build], cwd=sources, check=True, capture_output=True)
    (archive,) = (sources / "dist").glob("*.tar.gz")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path))
    packages.pip(python, "wheel", *options, str(archive))
    (again,) = tmp_path.glob("*.whl")
    assert again.name == wheel.name
    assert names_in(again) == names_in(wheel)


def test_documented_lines_make_a_stock_project_run_jobs_and_tell_of_failures(project, wait_until):
    project.add("mysite/jobs.py", FAILING)
    project.manage("migrate", "--verbosity", "0")
    assert "no issues" in project.manage("check").stdout
    account = {"DJANGO_SUPERUSER_PASSWORD": "x", "DJANGO_SUPERUSER_USERNAME": "admin"}
    project.manage("createsuperuser", "--noinput", "--email", "admin@example.com", **account)
    project.manage("sync_jobs")
    scheduler = project.start("manage.py", "runscheduler")
    worker = project.start("manage.py", "notification_worker")
    said = project.manage("run_job", "nightly_report", "--wait").stdout
    assert "SUCCESS" in said
    assert "The report of yesterday is written." in said
    project.manage("run_job", "failing")
    wait_until(lambda: "the warehouse" in inbox(project), 30)

    pages = project.ask(
        """
        addresses = ["/jobs/", "/jobs/nightly_report/", "/runs/", "/nodes/", "/alerts/", "/notifications/",
                     "/channels/", "/inbox/", "/settings/", "/admin/", "/admin/scheduler_app/scheduledjob/",
                     "/api/v1/scheduler/jobs"]
        answer = {address: client.get(address).status_code for address in addresses}
        """
    )
    assert set(pages.values()) == {200}, pages
    chinese = project.ask("answer = client.get('/jobs/', HTTP_ACCEPT_LANGUAGE='zh-hans').text")
    assert "任务" in chinese
    assert 'href="/static/scheduler_app/vigil.css"' in chinese
    figures = "HTTP_AUTHORIZATION='Bearer a-long-random-text'"
    told = project.ask(f"answer = Client(SERVER_NAME='localhost').get('/metrics', {figures}).text")
    assert 'scheduler_job_success_total{job_id="nightly_report"} 1' in told
    refused = project.ask("answer = Client(SERVER_NAME='localhost').get('/metrics').status_code")
    assert refused in (401, 403)
    assert scheduler.stop() == 0
    assert worker.stop() == 0
    assert "INFO scheduler_started" in scheduler.err
    assert re.search("INFO job_run_start .*job_id=nightly_report", scheduler.err)
    assert re.search("INFO job_run_success .*job_id=nightly_report .*duration_ms=", scheduler.err)
    assert re.search("ERROR job_run_failed .*the warehouse does not answer", scheduler.err)
    assert re.search("INFO notification_attempt .*channel=SYSTEM", worker.err)


def inbox(project: ForeignProject) -> str:
    return str(project.ask("answer = client.get('/inbox/').text"))


def test_logging_of_the_project_decides_alone(project):
    project.add(
        SETTINGS,
        """
        LOGGING = {
            "version": 1,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["console"], "level": "INFO"},
        }
        """,
    )
    project.manage("migrate", "--verbosity", "0")
    said = project.manage("runscheduler", "--once").stderr
    assert said.count("scheduler_started") == 1
    assert "Z INFO" not in said


def test_pages_take_the_shell_of_the_project_where_it_has_one(project):
    (project.folder / "templates").mkdir()
    blocks = "{% block title %}{% endblock %}{% block head %}{% endblock %}{% block content %}{% endblock %}"
    project.add("templates/base.html", f"<p>Our shop</p>{blocks}")
    project.add(SETTINGS, "TEMPLATES[0]['DIRS'] = [BASE_DIR / 'templates']")
    project.manage("migrate", "--verbosity", "0")
    account = {"DJANGO_SUPERUSER_PASSWORD": "x", "DJANGO_SUPERUSER_USERNAME": "admin"}
    project.manage("createsuperuser", "--noinput", "--email", "admin@example.com", **account)
    assert "<p>Our shop</p>" in project.ask("answer = client.get('/jobs/').text")


def test_works_beside_django_celery_beat_which_requires_an_older_cron_descriptor(wheel, tmp_path):
    venv = tmp_path / "venv"
    python = packages.make_venv(venv, f"{wheel}[celery]", "django-celery-beat>=2.9")
    project = new_project(python, tmp_path / "project")
    project.add(SETTINGS, "INSTALLED_APPS += ['django_celery_beat']")
    project.manage("migrate", "--verbosity", "0")
    assert "no issues" in project.manage("check").stdout
    words = (
        "from scheduler_app.cron_words import describe; answer = describe('30 2 * * *', 'zh-hans')"
    )
    assert project.ask(words) == "在 02:30"
