"""Runs the tests storey by storey, each on its servers: `scripts/test [--long] [arguments of pytest]`.

Four storeys run at a time, each on servers of its own. The one that measures how soon a start is ready has the machine
for itself.
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
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests import servers

ROOT = Path(__file__).resolve().parents[1]
LANES = 4
"""Storeys at once: half of the tests wait for something, so two cores serve four."""

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


@dataclass(frozen=True, slots=True)
class Storey:
    """Tests that run in one process. `files` are below `folder`; none: all of it but what others name."""

    name: str
    folder: str
    files: tuple[str, ...] = ()
    on_postgres: bool = False
    without: tuple[str, ...] = ()
    """What this storey and the others of its folder leave out."""


# they meet no database, ask it nothing but who may do what, or look through what others test on both
ON_ANY_DATABASE = (
    "channels",
    "test_access.py",
    "test_children.py",
    "test_no_secret_on_any_page.py",
    "test_pings.py",
    "test_queues.py",
    "test_sign_in.py",
    "api/test_permissions.py",
    "pages/test_access.py",
)
STORY = "test_story.py::test_failure_is_told_by_every_channel_and_so_is_the_recovery"
STOREYS = (
    Storey("integration, SQLite", "tests/integration"),
    Storey("integration, PostgreSQL", "tests/integration", (), True, ON_ANY_DATABASE),
    Storey("promises of the engine, PostgreSQL", "tests/promises", (), True),
    Storey(
        "promises of the delivery, PostgreSQL",
        "tests/promises",
        (
            "test_changed_wishes.py",
            "test_delivery_faults.py",
            "test_gateway_faults.py",
            "test_p3_one_alert_one_row.py",
            "test_p4_every_notification_ends.py",
            "test_p5_at_least_once.py",
            "test_p8_no_secret_shows.py",
            "test_poison_message.py",
            "test_queues.py",
            "test_quiet_hours_are_kept.py",
            "test_stopped_worker.py",
        ),
        True,
    ),
    Storey(
        "promises with Celery, PostgreSQL",
        "tests/promises",
        ("test_celery.py", "test_celery_time_limits.py", "test_outside_monitor.py"),
        True,
    ),
    Storey(
        "acceptance of the scheduler",
        "tests/acceptance",
        (
            "test_heartbeat.py",
            "test_run_commands.py",
            "test_scheduler.py",
            "test_scheduler_queues.py",
            "test_time_limits.py",
        ),
    ),
    Storey(
        "acceptance of packages and set-ups",
        "tests/acceptance",
        (
            "test_documented_setups.py",
            "test_foreign_project.py",
            "test_optional_packages.py",
            "test_scripts_bootstrap.py",
        ),
    ),
    Storey("acceptance of the site", "tests/acceptance"),
    Storey("units", "tests/unit"),
    Storey("the story, PostgreSQL", "tests/acceptance", (STORY,), True),
)
"""The longest first."""
ALONE = Storey("acceptance of scripts/run", "tests/acceptance", ("test_scripts_run.py",))
"""It measures how soon a start is ready, so it has the machine for itself."""


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
            with _start(arguments, ours) as process:
                return process.wait()
        lanes = [ours, *(_own(stack) for _ in range(LANES - 1))]
        results = _run_beside(STOREYS, lanes) | _run_beside((ALONE,), lanes)
    _recap({name: summary for name, (_, summary) in results.items()}, left_out)
    return max(code for code, _ in results.values())


def _own(stack: contextlib.ExitStack) -> Servers:
    postgres_url = stack.enter_context(servers.postgres())
    return Servers(postgres_url, stack.enter_context(servers.RedisServer()).url)


def _paths(storey: Storey) -> list[str]:
    """As pytest takes them."""
    if storey.files:
        return [f"{storey.folder}/{name}" for name in storey.files]
    others = [one for one in (*STOREYS, ALONE) if one.folder == storey.folder and one.files]
    left = [*storey.without, *(name for one in others for name in one.files if "::" not in name)]
    return [storey.folder, *(f"--ignore={storey.folder}/{name}" for name in left)]


def _run_beside(storeys: Iterable[Storey], lanes: Iterable[Servers]) -> dict[str, Result]:
    """One in each lane at a time; what a storey says is shown when it has ended."""
    results: dict[str, Result] = {}
    waiting, free = deque(storeys), deque(lanes)
    with contextlib.ExitStack() as stack:
        running: list[tuple[Storey, Servers, subprocess.Popen[bytes], IO[bytes]]] = []
        while waiting or running:
            while waiting and free:
                storey, lane = waiting.popleft(), free.popleft()
                said = stack.enter_context(tempfile.TemporaryFile())
                process = stack.enter_context(
                    _start(_paths(storey), lane, storey.on_postgres, said)
                )
                stack.callback(process.terminate)
                running.append((storey, lane, process, said))
                _say(f"began: {storey.name}")
            time.sleep(0.2)  # nothing portable waits for the first of several processes to end
            for one in list(running):
                storey, lane, process, said = one
                if process.poll() is None:
                    continue
                running.remove(one)
                free.append(lane)
                said.seek(0)
                _say(f"\n{storey.name}")
                results[storey.name] = process.returncode, _pass_on(said)
    return results


def _start(
    paths: Iterable[str], lane: Servers, on_postgres: bool = False, said: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment["TEST_DATABASE_URL"] = lane.postgres_url
    environment["TEST_REDIS_URL"] = lane.redis_url
    if on_postgres:
        environment["DATABASE_URL"] = lane.postgres_url
    colour = "--color=yes" if sys.stdout.isatty() else "--color=auto"
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", colour, *paths],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said,
    )  # fmt: skip


def _pass_on(said: IO[bytes]) -> str:
    """Write what pytest said; returns its last summary line."""
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
