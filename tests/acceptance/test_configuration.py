"""Programs of the site that start with faults in their environment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from project.configuration.variables import VARIABLES
from tests.environment import ROOT, clean

REDIS = "redis://:pa#ss@127.0.0.1:6379/0"
PROGRAMS = {
    "manage.py": (2, ["manage.py", "verify_jobs"]),
    "celery": (2, ["-m", "celery", "-A", "project", "worker"]),
    "gunicorn": (3, ["-m", "gunicorn", "project.wsgi", "--bind", "127.0.0.1:0", "--no-control-socket"]),
}  # fmt: skip


@pytest.fixture
def env_file(tmp_path):
    """Write a `.env`, and return the environment of a process that reads it and nothing else."""

    def write(text: str | bytes, **variables: str) -> dict[str, str]:
        path = tmp_path / "settings.env"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        given = {name: value for name, value in clean().items() if name not in VARIABLES}
        return {**given, "VIGIL_ENV_FILE": str(path), "VAR_DIR": str(tmp_path), **variables}

    return write


def run(arguments, env):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("program", PROGRAMS)
def test_start_with_wrong_values_is_refused_with_all_of_them(env_file, program):
    code, arguments = PROGRAMS[program]
    lines = (
        "SECRET_KEY=x",
        "EMAIL_ENABLED=ture",
        "EMAIL_SMTP_PORT=58x",
        f"REDIS_URL={REDIS}",
        "TIME_ZONE=Mars",
    )
    done = run(arguments, env_file("\n".join(lines)))
    said = [line for line in done.stderr.splitlines() if line.startswith("settings.env line")]
    assert done.returncode == code
    assert len(set(said)) == len(lines)
    assert "Traceback" not in done.stderr
    assert "pa#ss" not in done.stdout + done.stderr


@pytest.mark.parametrize("text", [b"SECRET_KEY=\xb9\xa4\n", "SECRET_KEY=1".encode("utf-16")])
def test_file_in_another_encoding_is_refused_in_words(env_file, text):
    done = run(["manage.py", "check"], env_file(text))
    assert done.returncode == 2
    assert "settings.env line 1: not UTF-8 text. Save the file as UTF-8." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.django_db(transaction=True)
def test_wrong_values_of_channels_and_redis_stop_nothing(site, wait_until):
    """C1 and C4: scheduler, worker and checks go on, and name the variable and the fix."""
    site.env |= {"REDIS_URL": REDIS, "EMAIL_ENABLED": "ture", "NO_PROXY": "localhost,[::1"}
    site.declare(site.noting("quick", cron="every 1 s"))
    processes = site.scheduler(), site.worker()
    wait_until(site.traced, 20)
    checked = site.manage("check")
    assert checked.wait() == 1
    for words in ("REDIS_URL", "# is %23", "EMAIL_ENABLED", "Did you mean true?", "NO_PROXY"):
        assert words in checked.err
    verified = site.manage("verify_jobs")
    assert verified.wait() == 1
    assert "REDIS_URL" in verified.out
    assert "EMAIL_ENABLED" in verified.out
    for process in (*processes, checked, verified):
        assert "Traceback" not in process.err
        assert "pa#ss" not in process.out + process.err
    assert all(process.process.poll() is None for process in processes)
