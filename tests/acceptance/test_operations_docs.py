"""docs/operations.md at its word: its files are written and its commands run, in order, on a site of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from project import team_folder
from tests import environment, servers

GUIDE = environment.ROOT / "docs" / "operations.md"
TWIN = environment.ROOT / "docs" / "operations.zh-hans.md"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.M | re.S)
EXIT = re.compile(r"\s+# exit (\d).*$")
APPS = ("scheduler_app", "alerts_app", "notifications_app")
KEPT = ("manage.py", "project", *APPS, "templates", "docs", "scripts")
SERVICES = {"runscheduler": "scheduler_started", "notification_worker": "worker_started"}

pytestmark = pytest.mark.timeout(280)


@dataclass(frozen=True)
class Done:
    """A command of the guide, and how it ended."""

    line: str
    wanted: int
    code: int
    out: str
    said: str


class Checkout:
    """A copy of the project with a database of its own, in which scheduler and worker run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignore = shutil.ignore_patterns("__pycache__", "*.mo", "verification", "*.log")
        for name in KEPT:
            source = environment.ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignore)
            elif source.exists():
                shutil.copy(source, folder / name)
        var = folder / "var"
        team_folder.create(folder)
        documents = var / "docs"
        self.port = servers.find_free_port()
        self.env = environment.clean(
            JOB_FILE=team_folder.JOB_FILE, RISK_REGISTER=str(documents / "RISK_REGISTER.md"),
            VERIFY_LOG=str(documents / "BURNDOWN_TRACKING_LOG.md"),
            DATABASE_URL=f"sqlite:///{var / 'vigil.sqlite3'}", LOG_DIR=str(var / "log"), VAR_DIR=str(var),
            DJANGO_SUPERUSER_PASSWORD="a-password-for-the-guide",
            PROBE_URL=f"http://127.0.0.1:{self.port}/",  # a probe that fails would be a finding
        )  # fmt: skip
        self.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), self.env["PATH"]])

    def run(self, line: str, wanted: int = 0) -> Done:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return Done(line, wanted, done.returncode, done.stdout, done.stdout + done.stderr)

    def start(self, command: str) -> servers.Running:
        arguments = [sys.executable, "manage.py", command]
        return servers.Running(arguments, env=self.env, folder=self.folder, cwd=self.folder)

    def start_probed(self) -> servers.Running:
        """What the job `probe_endpoint` asks, in place of the site's web process."""
        arguments = [sys.executable, "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]
        return servers.Running(arguments, env=self.env, folder=self.folder, cwd=self.folder)

    def write(self, text: str) -> None:
        """Do what a block of Python asks for: its first line names the file."""
        first, _, code = text.partition("\n")
        path = self.folder / first.removeprefix("# ")
        before = path.read_text() if path.exists() else ""
        if code.lstrip().startswith("{"):
            place, after = r"^JOBS\b.*\[\n", f"JOBS = [\n{code}"
        elif re.match(r'\s+"[A-Z]+":', code):
            place = r"^    \*\*SYSTEM_CHANNELS,\n"
            after = f"    **SYSTEM_CHANNELS,\n{code}"
        else:
            place, after = r"\A", code
        text, count = re.subn(place, lambda _: after, before, flags=re.M)
        assert count == 1, f"{path} has no place for:\n{code}"
        path.write_text(text)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    checkout = Checkout(tmp_path_factory.mktemp("guide"))
    prepare = (
        "python manage.py migrate",
        "python manage.py createsuperuser --noinput --username admin --email admin@example.com",
    )
    for line in prepare:
        done = checkout.run(line)
        assert done.code == 0, done.said
    running = [*map(checkout.start, SERVICES), checkout.start_probed()]
    try:
        for process, sign in zip(running, SERVICES.values(), strict=False):
            servers.wait_until(lambda p=process, s=sign: s in p.out, 30)
        yield checkout
    finally:
        for process in running:
            process.stop()


@pytest.fixture(scope="module")
def story(site):
    """Every command of the guide, as it ended."""
    done = []
    for language, text in blocks(GUIDE):
        if language == "python":
            site.write(text)
        else:
            done += [site.run(line, wanted) for line, wanted in commands(text)]
    return done


def blocks(path):
    return BLOCK.findall(path.read_text())


def commands(text):
    """(command, documented exit code) of each line."""
    for line in text.strip().splitlines():
        found = EXIT.search(line)
        yield EXIT.sub("", line), int(found[1]) if found else 0


def find(story, part):
    return next(done for done in story if part in done.line)


def test_every_command_ends_as_the_guide_says(story):
    wrong = [f"{d.line}: {d.code}, not {d.wanted}\n{d.said}" for d in story if d.code != d.wanted]
    assert not wrong, "\n\n".join(wrong)
    assert len(story) > 10


def test_the_week_is_logged_and_archived(story, site):
    assert find(story, "verify_jobs --log").code == 0
    log = (site.folder / "var" / "docs" / "BURNDOWN_TRACKING_LOG.md").read_text()
    assert re.search(r"20\d\d-\d\d-\d\d", log)
    assert list((site.folder / "var" / "docs" / "verification").iterdir())


def test_a_job_is_added_in_two_steps(story):
    assert "SUCCESS" in find(story, "run_job nightly_report").out
    assert "nightly_report" in [d.out for d in story if d.line.endswith("verify_jobs")][-1]


def test_a_failing_job_has_an_owner_and_a_place_in_the_risk_register(story, site):
    assert "admin" in find(story, "who_is_told nightly_report").out
    assert "nightly_report" in (site.folder / "var" / "docs" / "RISK_REGISTER.md").read_text()


def test_a_channel_that_is_not_configured_says_what_is_missing(story):
    assert "WECHAT" in find(story, "send_test --channel WECHAT").out


def test_the_attempts_are_in_the_log(story):
    assert "notification_attempt" in find(story, "grep NotificationDispatcher").out


def test_a_channel_is_switched_off_in_the_file(story):
    forecast = find(story, "who_is_told send_alert_notifications").out
    line = next(line for line in forecast.splitlines() if "WECHAT" in line)
    assert "switched off in the job file" in line


def test_the_chinese_guide_gives_the_same_files_and_commands():
    assert blocks(TWIN) == blocks(GUIDE)


def test_both_guides_name_the_same_things():
    code = re.compile(r"`([^`\n]+)`")
    english, chinese = (set(code.findall(path.read_text())) for path in (GUIDE, TWIN))
    assert english ^ chinese == set()
