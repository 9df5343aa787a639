"""`scripts/run` in a copy of this checkout, as on a machine that has seen nothing of it before."""

from __future__ import annotations

import http.cookiejar
import os
import re
import shutil
import signal
import stat
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass

import psutil
import pytest

from project.first_run import read_env
from tests import environment, servers

NOT_COPIED = (".git", ".venv", ".env", "var", "__pycache__", ".*_cache", ".hypothesis", "*.mo")
INSTALL_TIMEOUT_S = 280.0
SERVICES = {"web": "gunicorn", "scheduler": "runscheduler", "worker": "notification_worker"}

pytestmark = pytest.mark.timeout(400)


@dataclass
class Site:
    """One start of scripts/run."""

    run: servers.Running
    port: int
    begun_s: float

    def wait_ready(self, timeout_s: float = 30.0) -> float:
        """Seconds from the start to the banner."""
        servers.wait_until(self._is_ready, timeout_s)
        return time.monotonic() - self.begun_s

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.run.pid).children(recursive=True)

    def service(self, name: str) -> psutil.Process | None:
        for child in psutil.Process(self.run.pid).children():
            if SERVICES[name] in " ".join(child.cmdline()):
                return child
        return None

    def _is_ready(self) -> bool:
        assert self.run.process.poll() is None, self.run.out + self.run.err
        return "Sign in" in self.run.out


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start scripts/run in the copy; what still runs at the end is ended."""
    checkout = tmp_path_factory.mktemp("fresh") / "vigil"
    shutil.copytree(environment.ROOT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
    started: list[Site] = []

    def start(port: int = 0, **variables: str) -> Site:
        port = port or servers.find_free_port()
        command = [str(checkout / "scripts/run"), "--port", str(port)]
        run = servers.Running(
            command,
            env=_of_a_person() | variables,
            folder=checkout.parent,
            cwd=checkout.parent,
        )
        started.append(Site(run, port, time.monotonic()))
        return started[-1]

    start.checkout = checkout
    yield start
    for site in started:
        site.run.stop()


@pytest.fixture(scope="module")
def first(start):
    """The first start on this machine, ready and ended again."""
    site = start()
    site.wait_ready(INSTALL_TIMEOUT_S)
    site.run.stop()
    return site


@pytest.fixture
def site(start, first):
    """A later start, ready."""
    one = start()
    one.wait_ready()
    yield one
    one.run.stop()


def test_first_start_prints_url_user_and_where_the_password_is(start, first):
    assert f"http://localhost:{first.port}/" in first.run.out
    assert "user admin" in first.run.out
    assert f"{start.checkout / '.env'} (ADMIN_PASSWORD)" in first.run.out


def test_first_start_keeps_its_secrets_to_the_owner(start, first):
    values = read_env(start.checkout / ".env")
    assert stat.S_IMODE((start.checkout / ".env").stat().st_mode) == 0o600
    for name in ("SECRET_KEY", "METRICS_TOKEN", "ADMIN_PASSWORD"):
        assert values[name] not in first.run.out + first.run.err


def test_no_service_warns_or_breaks_at_its_start(first):
    assert not re.search("warning|traceback", first.run.err, re.IGNORECASE), first.run.err


def test_admin_signs_in_with_the_password_of_the_env_file(start, site):
    password = read_env(start.checkout / ".env")["ADMIN_PASSWORD"]
    assert "/admin/logout/" in _sign_in(site.port, "admin", password)


def test_second_start_is_ready_within_five_seconds_and_installs_nothing(start, first):
    again = start()
    assert again.wait_ready() < 5.0
    again.run.stop()
    assert "Installing" not in again.run.out
    assert "database up to date" not in again.run.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_ends_all_within_ten_seconds(site, number):
    processes = site.processes()
    begun_s = time.monotonic()
    site.run.process.send_signal(number)
    assert site.run.wait(10.0) == 0
    assert time.monotonic() - begun_s < 10.0
    assert len(processes) >= len(SERVICES)
    assert _still_running(processes) == []


def test_supervisor_that_is_killed_leaves_no_orphan(site, wait_until):
    processes = site.processes()
    site.run.process.kill()
    wait_until(lambda: not _still_running(processes), 10.0)


def test_service_that_dies_is_started_again_and_said_so(site, wait_until):
    for name in SERVICES:
        first = site.service(name)
        first.kill()
        assert _get(site.port, "/healthz") == 200, (
            "requests wait for a web process that comes again"
        )
        said = f"{name} was ended by SIGKILL; it is started again in 1 s"
        wait_until(lambda said=said: said in site.run.out)
        again = wait_until(lambda name=name: site.service(name))
        assert again.pid != first.pid
        assert _get(site.port, "/healthz") == 200


def test_taken_port_is_one_line(start, site):
    other = start(site.port)
    assert other.run.wait() == 2
    assert re.fullmatch(rf"vigil: Port {site.port} is taken.*\n", other.run.out)
    assert other.run.err == ""


@pytest.fixture
def add_to_env(start, first):
    """Add lines to `.env`, and return the number of the first; they are gone after the test."""
    env = start.checkout / ".env"
    before = env.read_text()

    def add(*lines: str) -> int:
        env.write_text(before + "".join(f"{line}\n" for line in lines))
        return len(before.splitlines()) + 1

    yield add
    env.write_text(before)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("EMAIL_ENABLED true", r"\.env line {number}: expected NAME=value"),
        ("DATABASE_URL=mongo://h/db", r"\.env line {number} \(DATABASE_URL\): .*mongo"),
    ],
)
def test_broken_env_is_one_line_that_names_its_own(start, add_to_env, line, words):
    number = add_to_env(line)
    site = start()
    assert site.run.wait() == 2
    assert re.fullmatch(rf"vigil: .*{words.format(number=number)}.*\n", site.run.out)
    assert site.run.err == ""


def test_wrong_values_are_all_told_and_stop_nothing(start, add_to_env):
    number = add_to_env(
        "EMAIL_SMTP_PORT=58x", "EMAIL_ENABLED=ture", "LOG_LEVEL=loud", "REDIS_URL=redis://:pa#ss@h", "EMAIL_ENABLE=1"
    )  # fmt: skip
    site = start()
    site.wait_ready()
    told = [line for line in site.run.out.splitlines() if line.startswith("vigil: .env line")]
    assert set(re.findall(r"line (\d+) \((\w+)\)", "\n".join(told))) == {
        (str(number), "EMAIL_SMTP_PORT"),
        (str(number + 1), "EMAIL_ENABLED"),
        (str(number + 2), "LOG_LEVEL"),
        (str(number + 3), "REDIS_URL"),
        (str(number + 4), "EMAIL_ENABLE"),
    }
    assert len(told) == 5
    assert "pa#ss" not in site.run.out + site.run.err
    assert _get(site.port, "/readyz") == 200
    site.run.stop()


def test_database_that_does_not_answer_is_one_line(start, first):
    site = start(DATABASE_URL="postgres://vigil@127.0.0.1:1/vigil")
    assert site.run.wait() == 3
    assert re.fullmatch(r"vigil: The database cannot be used: .*\n", site.run.out)


def _of_a_person() -> dict[str, str]:
    """What a shell has; nothing of Vigil's own."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith("PIP_") or name.lower().endswith("_proxy")
    }


def _still_running(processes):
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def _get(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.status


def _sign_in(port: int, name: str, password: str) -> str:
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    url = f"http://localhost:{port}/admin/login/"
    opener.open(url, timeout=10).close()
    token = next(one.value for one in cookies if one.name == "csrftoken")
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    with opener.open(url, urllib.parse.urlencode(form).encode(), timeout=10) as answer:
        return answer.read().decode()
