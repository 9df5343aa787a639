"""A team's jobs and an update of Vigil do not meet: the README's steps in a clone, then `git pull`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import servers
from tests.environment import ROOT, clean
from tests.packages import environment

README = ROOT / "README.md"
BLOCK = re.compile(r"^   ```python\n(.*?)^   ```$", re.M | re.S)
AUTHOR = ("-c", "user.name=Olga", "-c", "user.email=olga@example.com")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *AUTHOR, "-C", str(folder), *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def upstream(tmp_path):
    """A repository with this working tree as its one commit."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    folder = tmp_path / "upstream"
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "First version")
    return folder


class Clone:
    """A clone that is started as scripts/run starts it, without making an environment of its own."""

    def __init__(self, upstream: Path, folder: Path) -> None:
        git(folder.parent, "clone", "--quiet", str(upstream), str(folder))
        self.folder = folder
        # as on a person's machine: only what .env says
        self.env = {name: clean()[name] for name in ("PATH", "HOME") if name in clean()}

    def start(self, port: int) -> servers.Running:
        """Vigil, ready."""
        command = [sys.executable, "-m", "project.supervisor", "--port", str(port)]
        running = servers.Running(command, env=self.env, folder=self.folder.parent, cwd=self.folder)
        servers.wait_until(lambda: "Vigil is ready" in running.out, 60)
        return running

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def add_the_job_of_the_readme(self) -> None:
        function, entry = (
            re.sub("(?m)^   ", "", text) for text in BLOCK.findall(README.read_text())
        )
        (self.folder / "team" / "reports.py").write_text(function)
        file = self.folder / "team" / "scheduler_config.py"
        file.write_text(file.read_text().replace("JOBS = [\n", f"JOBS = [\n{entry}", 1))


@pytest.fixture
def clone(upstream, tmp_path):
    return Clone(upstream, tmp_path / "clone")


def test_an_update_and_the_teams_own_job_do_not_meet(clone, upstream, free_port, wait_until):
    running = clone.start(free_port)
    try:
        clone.add_the_job_of_the_readme()
        wait_until(lambda: "nightly_report" in clone.manage("export_jobs"), 30)
        assert "SUCCESS" in clone.manage("run_job", "nightly_report", "--wait")
        clone.manage("risk_register", "add", "--job", "nightly_report")
        subprocess.run(
            [sys.executable, "manage.py", "verify_jobs", "--log"],
            cwd=clone.folder, env=clone.env, capture_output=True, check=False,
        )  # fmt: skip
    finally:
        assert running.stop() == 0
    assert list((clone.folder / "var" / "docs" / "verification").iterdir())
    assert git(clone.folder, "status", "--porcelain") == ""

    for name in (
        "project/scheduler_config.py",
        "scheduler_app/system_jobs.py",
        "README.md",
        ".gitignore",
    ):
        text = (upstream / name).read_text()
        changed = text.replace('"17 3 * * *"', '"18 3 * * *"').replace("every 5 min", "every 6 min")
        (upstream / name).write_text(changed + "\n# a change of ours\n")
    git(upstream, "commit", "--quiet", "--all", "--message", "Second version")
    git(clone.folder, "pull", "--quiet", "--ff-only")

    running = clone.start(free_port)
    try:
        assert "SUCCESS" in clone.manage("run_job", "nightly_report", "--wait")
        assert "18 3 * * *" in clone.manage("export_jobs")
    finally:
        running.stop()


def test_second_start_leaves_the_teams_folder_as_it_is(tmp_path):
    from project import team_folder

    assert team_folder.create(tmp_path)
    file = tmp_path / "team" / "scheduler_config.py"
    file.write_text("JOBS = []\n")
    assert not team_folder.create(tmp_path)
    assert file.read_text() == "JOBS = []\n"
    assert sorted(path.name for path in (tmp_path / "team").iterdir()) == [
        "__init__.py",
        "scheduler_config.py",
    ]
