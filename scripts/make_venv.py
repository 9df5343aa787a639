"""Makes `.venv` with what a requirements file names, or finds that nothing has changed.

Runs before anything is installed: standard library only. Usage: make_venv.py requirements.txt. Exit codes: 0 `.venv`
is ready, 2 something to put right first (told in two lines on stderr). Further arguments are for `.venv`'s Python, that
this process then becomes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TextIO

HOME = Path(__file__).resolve().parent.parent
VENV = HOME / ".venv"
PYTHON = VENV / "bin/python"
STAMP = VENV / "vigil-installed.json"
# Stands in .venv from its first moment until pip has ended well: what a kill leaves behind may look installed to pip
# and is not whole. (A temporary name for the folder would stay in bin/activate and in the scripts' first lines.)
UNFINISHED = VENV / "vigil-unfinished"
LOCK = HOME / "var" / "venv.lock"
KINDS = ("requirements.txt", "requirements-dev.txt")
_held: list[TextIO] = []
MISLEADING = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")


def main(requirements: str) -> None:
    with _alone():
        version = _version()
        if version and _installed().get(requirements) == _fingerprint(requirements, version):
            return
        if not version:
            _make()
        _install(requirements)


def _installed() -> dict[str, str]:
    """Fingerprints of what `.venv` was made from, by requirements file."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _fingerprint(requirements: str, version: str) -> str:
    texts = [(HOME / name).read_bytes() for name in (*_read_by(requirements), "constraints.txt")]
    return hashlib.sha256(b"\0".join([version.encode(), *texts])).hexdigest()


def _read_by(requirements: str) -> tuple[str, ...]:
    return KINDS[: KINDS.index(requirements) + 1]


def _version() -> str:
    """The version of `.venv`'s Python; empty when it is not whole or too old."""
    if UNFINISHED.exists():
        return ""
    version = _asked(PYTHON)
    return version if version and tuple(map(int, version.split("."))) >= (3, 11) else ""


def _asked(python: Path) -> str:
    code = "import pip, sys; print(*sys.version_info[:3], sep='.')"
    try:
        done = _quiet(str(python), "-c", code)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _make() -> None:
    print("Making .venv ...", flush=True)
    if not (_with_own_pip() or _with_pip_of_host()):
        _give_up(
            f"{sys.executable} cannot make virtual environments: its venv module is not whole.",
            "Debian and Ubuntu: apt install python3-venv (as root). Then start this again.",
        )


def _with_own_pip() -> bool:
    _clear()
    _quiet(sys.executable, "-m", "venv", str(VENV))
    return bool(_asked(PYTHON))


def _with_pip_of_host() -> bool:
    """Debian without python3-venv lacks only `ensurepip`; a pip beside it (22.3 or newer) can install the pip."""
    _clear()
    _quiet(sys.executable, "-m", "venv", "--without-pip", str(VENV))
    _quiet(sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "pip")
    return bool(_asked(PYTHON))


def _clear() -> None:
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    UNFINISHED.touch()


def _install(requirements: str) -> None:
    print(f"Installing what {requirements} names: a minute or two ...", flush=True)
    UNFINISHED.touch()
    command = ("-m", "pip", "install", "--quiet", "-r", requirements, "-c", "constraints.txt")
    done = _quiet(str(PYTHON), *command)
    if done.returncode != 0:
        sys.stderr.write(done.stderr[-3000:])
        _give_up(
            "pip could not install the packages; its own words are above.",
            "Behind a proxy or far from the registry set PIP_INDEX_URL (or pip.conf), then start this again.",
        )
    version = _asked(PYTHON)
    stamp = {name: _fingerprint(name, version) for name in _read_by(requirements)}
    STAMP.write_text(json.dumps(stamp))
    UNFINISHED.unlink()


def _quiet(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in MISLEADING}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}
    # a pip that outlives this process keeps the lock, so that nobody works beside it
    held = [lock.fileno() for lock in _held]
    return subprocess.run(
        command, cwd=HOME, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, pass_fds=held,
    )  # fmt: skip


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One at a time in this folder; who comes second says so and waits."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another start is preparing .venv: waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        _held.append(lock)
        yield


def _give_up(*lines: str) -> NoReturn:
    print(*lines, sep="\n", file=sys.stderr)
    sys.exit(2)


def _end(*_: object) -> NoReturn:
    """Ends pip as well: an exception on its way through subprocess.run kills the child."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        main(sys.argv[1])
    except OSError as error:
        _give_up(f"Vigil cannot write in its folder {HOME}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if sys.argv[2:]:
        os.execv(PYTHON, [str(PYTHON), *sys.argv[2:]])  # noqa: S606 - its own caller's words
