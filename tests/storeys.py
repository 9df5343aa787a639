"""Runs the tests storey by storey, each on its servers: `scripts/test [--long] [arguments of pytest]`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import servers

ROOT = Path(__file__).resolve().parents[1]
DEBIAN_PACKAGES = ("chromium", "fonts-noto-cjk", "prometheus")
SUMMARY = re.compile(
    rb"\d+ (passed|failed|error|errors|skipped|deselected|warnings?)\b.* in [\d.]+s|no tests ran in"
)
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storey:
    name: str
    paths: tuple[str, ...]
    database_url: str = ""


def main(arguments: list[str]) -> int:
    if "--long" in arguments:
        arguments.remove("--long")
        os.environ["VIGIL_TEST_LONG"] = "1"
    left_out = _missing_programs()
    if left_out:
        _say(left_out)
    with contextlib.ExitStack() as stack:
        os.environ["TEST_REDIS_URL"] = stack.enter_context(servers.redis())
        postgres_url = stack.enter_context(servers.postgres())
        os.environ["TEST_DATABASE_URL"] = postgres_url
        if arguments:
            return _run(Storey(name="chosen", paths=()), arguments)[0]
        results = {one.name: _run(one, one.paths) for one in _storeys(postgres_url)}
    _recap({name: summary for name, (_, summary) in results.items()}, left_out)
    return max(code for code, _ in results.values())


def _storeys(postgres_url: str) -> tuple[Storey, ...]:
    return (
        Storey(name="unit and integration, SQLite", paths=("tests/unit", "tests/integration")),
        Storey(
            name="integration, promises and the story, PostgreSQL",
            paths=(
                "tests/integration",
                "--ignore=tests/integration/channels",  # they meet gateways, and no database
                "tests/promises",
                "tests/acceptance/test_story.py",
            ),
            database_url=postgres_url,
        ),
        Storey(name="acceptance", paths=("tests/acceptance",)),
    )


def _run(storey: Storey, arguments: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code and its last summary line; what it says is passed on as it comes."""
    _say(f"\n{storey.name}")
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    if storey.database_url:
        environment["DATABASE_URL"] = storey.database_url
    colour = "--color=yes" if sys.stdout.isatty() else "--color=auto"
    summary = ""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", colour, *arguments],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if SUMMARY.search(COLOUR.sub(b"", line)):
                summary = line.decode(errors="replace").strip()
    return process.returncode, summary


def _missing_programs() -> str:
    """Empty, or what cannot be tested for want of a program; root on Debian gets them installed."""
    if not _left_out():
        return ""
    if os.geteuid() == 0 and Path("/usr/bin/apt-get").exists():
        _say(f"Installing {' '.join(DEBIAN_PACKAGES)} for the tests ...")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["update"],
            ["install", "-y", "--no-install-recommends", *DEBIAN_PACKAGES],
        ):
            subprocess.run(["apt-get", "-qq", *command], env=environment, check=False)
    if left_out := _left_out():
        return (
            f"LEFT OUT: {' and '.join(left_out)}. As root: apt install {' '.join(DEBIAN_PACKAGES)}"
        )
    return ""


def _left_out() -> list[str]:
    needed = {
        "BROWSER TESTS (no Chromium)": servers.find_chromium(),
        "TESTS OF THE PROMETHEUS RULES (no promtool)": shutil.which("promtool"),
    }
    return [tests for tests, program in needed.items() if not program]


def _recap(summaries: dict[str, str], left_out: str) -> None:
    if left_out:
        _say(f"\n{left_out}")
    _say("")
    for name, summary in summaries.items():
        _say(f"{name}:\n{summary}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end as well
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
