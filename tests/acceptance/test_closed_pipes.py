"""A command whose reader closes the pipe, as `| head -1` does, ends without a traceback."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.environment import ROOT, clean
from tests.factories import declaration

READER_GONE = 141


@pytest.fixture
def shell(site):
    """`shell("slots ... | head -1")` runs manage.py, on a site with a job of every minute; its exit code counts."""
    site.declare(declaration("a", cron="* * * * *"))
    assert site.manage("sync_jobs").wait() == 0

    def run(command: str, python: str = ""):
        script = f"{sys.executable} {python} manage.py {command}; exit ${{PIPESTATUS[0]}}"
        env = clean(**site.env)
        return subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.mark.parametrize("python", ["", "-u"])
def test_much_output(shell, python):
    ended = shell("slots --job a --upcoming 2000 | head -1", python)
    assert ended.stdout.startswith("slot (UTC)")
    assert not re.search("Traceback|BrokenPipe|Exception", ended.stderr)
    assert ended.returncode == READER_GONE


@pytest.mark.parametrize(
    "command",
    [
        "slots --job a --upcoming 2000 --format json | true",
        "slots --help | true",
        "export_jobs | true",
        "verify_jobs --offline | true",
        "run_job --help | true",
    ],
)
def test_little_output_to_a_reader_that_has_gone(shell, command):
    ended = shell(command)
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr
    assert ended.returncode in (0, 1, READER_GONE)


@pytest.mark.parametrize("python", ["", "-u"])
def test_closed_stderr(shell, python):
    ended = shell("run_job nothing-like-it 2>&1 >/dev/null | true", python)
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode in (2, READER_GONE)


def test_mistyped_names_are_answered_with_the_closest(shell):
    assert "Did you mean a?" in shell("slots --job A").stderr
    assert "Did you mean --format?" in shell("slots --job a --formt json").stderr
    assert "Did you mean SUCCESS?" in shell("slots --job a --state sucess").stderr
    assert "Did you mean dead?" in shell("notifications deed").stderr
    assert "Did you mean EMAIL?" in shell("send_test --channel emial --to x").stderr
