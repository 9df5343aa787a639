"""How scripts/run and scripts/test come to their `.venv`, on machines that lack this or that. Needs no network."""

from __future__ import annotations

import ensurepip
import fcntl
import http.server
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest

from tests import environment, servers

SAYS_READY = ("-c", "print('ready')")
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python")
# what Debian's Python does without the package python3-venv
NO_ENSUREPIP = """\
import subprocess, venv
def _setup_pip(self, context):
    raise subprocess.CalledProcessError(1, "ensurepip")
venv.EnvBuilder._setup_pip = _setup_pip
"""


OLD_PYTHON = """\
#!/bin/sh
[ "$1" = --version ] && echo Python 3.9.2
"""


@pytest.fixture
def checkout(tmp_path):
    """The scripts with nothing to install."""
    return _check_out(tmp_path / "vigil")


@pytest.fixture
def make_venv(checkout):
    """Run scripts/make_venv.py, then the Python that it made."""

    def make_venv(host=sys.executable, requirements="requirements.txt", **variables):
        return _make_venv(checkout, host, requirements, **variables)

    return make_venv


@pytest.fixture(scope="module")
def venv_made_before(tmp_path_factory):
    checkout = _check_out(tmp_path_factory.mktemp("before") / "vigil")
    assert _make_venv(checkout).stdout.splitlines()[0] == "Making .venv ..."
    return checkout / ".venv"


@pytest.fixture
def made(checkout, venv_made_before):
    """`checkout` has a `.venv` already."""
    shutil.copytree(venv_made_before, checkout / ".venv", symlinks=True)


@pytest.fixture
def host(tmp_path):
    """Make a Python of its own; `whole=False`: like Debian's without python3-venv."""

    def host(*options: str, whole: bool = True) -> Path:
        subprocess.run([sys.executable, "-m", "venv", *options, tmp_path / "host"], check=True)
        if not whole:
            (packages,) = (tmp_path / "host/lib").glob("python*/site-packages")
            (packages / "no_ensurepip.py").write_text(NO_ENSUREPIP)
            (packages / "no_ensurepip.pth").write_text("import no_ensurepip\n")
        return tmp_path / "host/bin/python"

    return host


def test_second_call_finds_nothing_to_do(make_venv):
    assert make_venv().stdout.splitlines()[0] == "Making .venv ..."
    assert make_venv().stdout == "ready\n"


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt"])
def test_changed_file_is_installed_again_into_the_same_venv(made, make_venv, checkout, name):
    (checkout / name).write_text("# changed\n")
    said = make_venv().stdout
    assert "Making" not in said
    assert "Installing what requirements.txt names" in said


def test_venv_for_tests_serves_the_services_too(made, make_venv):
    make_venv(requirements="requirements-dev.txt")
    assert make_venv().stdout == "ready\n"


def test_venv_for_services_does_not_serve_the_tests(made, make_venv):
    assert "Installing" in make_venv(requirements="requirements-dev.txt").stdout


@pytest.mark.parametrize(
    "spoil",
    [
        lambda venv: (venv / "vigil-unfinished").touch(),
        lambda venv: (venv / "bin/python").unlink(),
        lambda venv: shutil.rmtree(venv / "lib"),
        lambda venv: (shutil.rmtree(venv), venv.write_text("a file")),
    ],
    ids=["killed in the middle", "no python", "no packages", "a file"],
)
def test_half_made_venv_is_made_again(made, make_venv, checkout, spoil):
    spoil(checkout / ".venv")
    done = make_venv()
    assert done.stdout.startswith("Making .venv ...\n")
    assert done.stdout.endswith("ready\n")


def test_kill_in_the_middle_leaves_the_mark(checkout, wait_until):
    maker = _start_making(checkout)
    wait_until((checkout / ".venv/vigil-unfinished").exists)
    maker.kill()
    maker.wait()
    assert (checkout / ".venv/vigil-unfinished").exists()


def test_second_of_two_says_so_and_waits(checkout, wait_until, tmp_path):
    (checkout / "var").mkdir()
    with (checkout / "var/venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, str(checkout / "scripts/make_venv.py"), "requirements.txt"]
        second = servers.Running([*command, *SAYS_READY], env=_shell(), folder=tmp_path)
        wait_until(lambda: "Another start is preparing .venv" in second.out)
        assert not (checkout / ".venv").exists()
    assert second.wait(60) == 0
    assert second.out.endswith("ready\n")


def test_python_without_ensurepip_is_helped_by_its_pip(make_venv, host):
    of_debian = sysconfig.get_config_var("WHEEL_PKG_DIR")
    wheels = of_debian or str(Path(ensurepip.__file__).parent / "_bundled")
    done = make_venv(host(whole=False), PIP_NO_INDEX="1", PIP_FIND_LINKS=wheels)
    assert done.stdout.endswith("ready\n"), done.stderr


def test_python_without_ensurepip_and_pip_is_told_in_two_lines(make_venv, host):
    done = make_venv(host("--without-pip", whole=False))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert "apt install python3-venv" in done.stderr


def test_folder_that_cannot_be_written_is_one_line(make_venv, checkout):
    (checkout / "var").symlink_to("/proc")  # where not even root can make a file
    done = make_venv()
    assert done.returncode == 2
    assert done.stderr.startswith(f"Vigil cannot write in its folder {checkout}")
    assert len(done.stderr.splitlines()) == 1


def test_only_the_registry_of_the_person_is_asked(make_venv, checkout):
    (checkout / "requirements.txt").write_text("vigil-probe\n")
    asked: list[str] = []
    with _registry(asked) as url:
        done = make_venv(PIP_INDEX_URL=url, PIP_CONFIG_FILE=os.devnull, no_proxy="127.0.0.1")
    assert asked == ["/simple/vigil-probe/"]
    assert done.returncode == 2
    assert "PIP_INDEX_URL" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("script", ["run", "test"])
def test_machine_without_a_new_python_is_told_in_two_lines(checkout, tmp_path, script):
    old = tmp_path / "bin"
    old.mkdir()
    for name in PYTHONS:
        (old / name).write_text(OLD_PYTHON)
        (old / name).chmod(0o755)
    environment = _shell() | {"PATH": f"{old}:{os.environ['PATH']}"}
    done = subprocess.run(
        [checkout / "scripts" / script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "needs Python 3.11 or newer; this machine has Python 3.9.2" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("script", ["run", "test"])
def test_help_makes_nothing(checkout, script):
    done = subprocess.run([checkout / "scripts" / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: scripts/{script}")
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("door", "command"),
    [
        ("notification_worker.py", "notification_worker"),
        ("test_scheduled_services.py", "verify_jobs"),
    ],
)
def test_door_opens_with_the_python_of_the_venv(checkout, host, tmp_path, door, command):
    (checkout / "manage.py").write_text("import os, sys; print(os.getcwd(), *sys.argv[1:])")
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    done = subprocess.run(
        [host("--without-pip"), checkout / "scripts" / door, "--once"],
        cwd=tmp_path, env=_shell(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{checkout} {command} --once\n"


def test_door_without_any_django_says_what_to_run(checkout, host):
    done = subprocess.run(
        [host("--without-pip"), checkout / "scripts/notification_worker.py"],
        env=_shell(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "run scripts/run once" in done.stderr


def _check_out(folder: Path) -> Path:
    shutil.copytree(environment.ROOT / "scripts", folder / "scripts")
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        (folder / name).touch()
    return folder


def _make_venv(
    checkout: Path, host=sys.executable, requirements: str = "requirements.txt", **variables: str
) -> subprocess.CompletedProcess[str]:
    command = [host, checkout / "scripts/make_venv.py", requirements, *SAYS_READY]
    return subprocess.run(
        command, env=_shell() | variables, capture_output=True, text=True, timeout=120
    )


def _shell() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _start_making(checkout: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, checkout / "scripts/make_venv.py", "requirements.txt"]
    return subprocess.Popen(command, env=_shell(), stdout=subprocess.DEVNULL)


class _registry:  # noqa: N801 - reads as a noun in `with`
    """A package registry that has nothing and notes what it is asked for."""

    def __init__(self, asked: list[str]) -> None:
        class Nothing(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/simple"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
