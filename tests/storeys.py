"""Runs the tests storey by storey, each on its servers: `scripts/test [--long] [arguments of pytest]`.

Those of the first floor, which hardly wait and measure no lateness, run side by side; the others run alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests import servers

ROOT = Path(__file__).resolve().parents[1]
DEBIAN_PACKAGES = ("chromium", "fonts-noto-cjk", "prometheus")
SUMMARY = re.compile(
    rb"\d+ (passed|failed|error|errors|skipped|deselected|warnings?)\b.* in [\d.]+s|no tests ran in"
)
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


Result = tuple[int, str]
"""pytest's exit code and its last summary line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storey:
    name: str
    paths: tuple[str, ...]
    database_url: str = ""
    redis_url: str = ""


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
        other_redis_url = stack.enter_context(servers.RedisServer()).url
        results = _run_beside(*_first_floor(postgres_url, other_redis_url))
        results |= {one.name: _run(one, one.paths) for one in _upper_floors(postgres_url)}
    _recap({name: summary for name, (_, summary) in results.items()}, left_out)
    return max(code for code, _ in results.values())


def _first_floor(postgres_url: str, redis_url: str) -> tuple[Storey, Storey]:
    return (
        Storey(name="unit and integration, SQLite", paths=("tests/unit", "tests/integration")),
        Storey(
            name="integration, PostgreSQL",
            paths=(
                "tests/integration",
                "--ignore=tests/integration/channels",  # they meet gateways, and no database
            ),
            database_url=postgres_url,
            redis_url=redis_url,
        ),
    )


def _upper_floors(postgres_url: str) -> tuple[Storey, ...]:
    return (
        Storey(
            name="promises and the story, PostgreSQL",
            paths=("tests/promises", "tests/acceptance/test_story.py"),
            database_url=postgres_url,
        ),
        Storey(name="acceptance", paths=("tests/acceptance",)),
    )


def _run_beside(first: Storey, second: Storey) -> dict[str, Result]:
    """Both at once; what `second` says comes when `first` has ended."""
    with tempfile.TemporaryFile() as said, _start(second, second.paths, said) as other:
        try:
            results = {first.name: _run(first, first.paths)}
            other.wait()
        finally:
            other.terminate()
        said.seek(0)
        _say(f"\n{second.name}")
        return results | {second.name: (other.returncode, _pass_on(said))}


def _run(storey: Storey, arguments: Sequence[str]) -> Result:
    _say(f"\n{storey.name}")
    with _start(storey, arguments, subprocess.PIPE) as process:
        assert process.stdout is not None
        summary = _pass_on(process.stdout)
    return process.returncode, summary


def _start(
    storey: Storey, arguments: Sequence[str], said: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    if storey.database_url:
        environment["DATABASE_URL"] = storey.database_url
    if storey.redis_url:
        environment["TEST_REDIS_URL"] = storey.redis_url
    colour = "--color=yes" if sys.stdout.isatty() else "--color=auto"
    command = [sys.executable, "-m", "pytest", colour, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said
    )


def _pass_on(said: IO[bytes]) -> str:
    """Write what pytest says as it comes; returns its last summary line."""
    summary = ""
    for line in said:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if SUMMARY.search(COLOUR.sub(b"", line)):
            summary = line.decode(errors="replace").strip()
    return summary


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
