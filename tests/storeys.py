"""Runs the tests storey by storey, each on its servers: `scripts/test [--long] [arguments of pytest]`.

Those of one floor run side by side, each on servers of its own. Acceptance, which measures how soon a start is ready,
has the machine for itself.
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
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests import servers

ROOT = Path(__file__).resolve().parents[1]
DELIVERY = (
    "changed_wishes", "delivery_faults", "gateway_faults", "p3_one_alert_one_row", "p4_every_notification_ends",
    "p5_at_least_once", "p8_no_secret_shows", "poison_message", "queues", "quiet_hours_are_kept", "stopped_worker",
)  # fmt: skip
# they meet no database, or ask it nothing but who may do what
ON_ANY_DATABASE = (
    "channels",
    "test_access.py",
    "test_children.py",
    "test_pings.py",
    "test_queues.py",
    "test_sign_in.py",
    "api/test_permissions.py",
    "pages/test_access.py",
)
DEBIAN_PACKAGES = ("chromium", "fonts-noto-cjk", "prometheus")
SUMMARY = re.compile(
    rb"\d+ (passed|failed|error|errors|skipped|deselected|warnings?)\b.* in [\d.]+s|no tests ran in"
)
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


Result = tuple[int, str]
"""pytest's exit code and its last summary line."""


@dataclass(frozen=True, slots=True)
class Servers:
    postgres_url: str
    redis_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Storey:
    name: str
    paths: tuple[str, ...]
    servers: Servers
    on_postgres: bool = False


def main(arguments: list[str]) -> int:
    if "--long" in arguments:
        arguments.remove("--long")
        os.environ["VIGIL_TEST_LONG"] = "1"
    left_out = _missing_programs()
    if left_out:
        _say(left_out)
    with contextlib.ExitStack() as stack:
        ours = Servers(
            stack.enter_context(servers.postgres()), stack.enter_context(servers.redis())
        )
        if arguments:
            return _run(Storey(name="chosen", paths=tuple(arguments), servers=ours))[0]
        others = Servers(
            stack.enter_context(servers.postgres()), stack.enter_context(servers.RedisServer()).url
        )
        results: dict[str, Result] = {}
        for floor in _floors(ours, others):
            results |= _run_beside(*floor)
    _recap({name: summary for name, (_, summary) in results.items()}, left_out)
    return max(code for code, _ in results.values())


def _floors(ours: Servers, others: Servers) -> tuple[tuple[Storey, ...], ...]:
    delivery = tuple(f"tests/promises/test_{name}.py" for name in DELIVERY)
    told = "test_failure_is_told_by_every_channel_and_so_is_the_recovery"
    return (
        (
            Storey(
                name="unit and integration, SQLite",
                paths=("tests/unit", "tests/integration"),
                servers=ours,
            ),
            Storey(
                name="integration, PostgreSQL",
                paths=(
                    "tests/integration",
                    *(f"--ignore=tests/integration/{name}" for name in ON_ANY_DATABASE),
                ),
                servers=others,
                on_postgres=True,
            ),
        ),
        (
            Storey(
                name="promises of the engine, PostgreSQL",
                paths=("tests/promises", *(f"--ignore={path}" for path in delivery)),
                servers=ours,
                on_postgres=True,
            ),
            Storey(
                name="promises of the delivery and the story, PostgreSQL",
                paths=(*delivery, f"tests/acceptance/test_story.py::{told}"),
                servers=others,
                on_postgres=True,
            ),
        ),
        (Storey(name="acceptance", paths=("tests/acceptance",), servers=ours),),
    )


def _run_beside(first: Storey, *others: Storey) -> dict[str, Result]:
    """All at once; what the others say comes when `first` has ended."""
    with contextlib.ExitStack() as stack:
        running = []
        for storey in others:
            said = stack.enter_context(tempfile.TemporaryFile())
            process = stack.enter_context(_start(storey, said))
            stack.callback(process.terminate)
            running.append((storey, process, said))
        results = {first.name: _run(first)}
        for storey, process, said in running:
            code = process.wait()
            said.seek(0)
            _say(f"\n{storey.name}")
            results[storey.name] = code, _pass_on(said)
    return results


def _run(storey: Storey) -> Result:
    _say(f"\n{storey.name}")
    with _start(storey, subprocess.PIPE) as process:
        assert process.stdout is not None
        summary = _pass_on(process.stdout)
    return process.returncode, summary


def _start(storey: Storey, said: int | IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment["TEST_DATABASE_URL"] = storey.servers.postgres_url
    environment["TEST_REDIS_URL"] = storey.servers.redis_url
    if storey.on_postgres:
        environment["DATABASE_URL"] = storey.servers.postgres_url
    colour = "--color=yes" if sys.stdout.isatty() else "--color=auto"
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", colour, *storey.paths],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said,
    )  # fmt: skip


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
