from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from project.private_files import database_files, keep_private
from scheduler_app import checks
from scheduler_app.checks import connection

WARNING = "vigil_scheduler.W009"
ROOT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """That of a usual shell."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def manage(var: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "VAR_DIR": str(var),
        "LOG_DIR": str(var / "log"),
        "VIGIL_LOG_STDOUT": "",
    }
    environment |= {"DATABASE_URL": f"sqlite:///{var / 'vigil.sqlite3'}"}
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)


def test_whatever_a_command_writes_is_for_its_user_alone(tmp_path, umask):
    var = tmp_path / "var"
    manage(var, "migrate", "-v", "0")
    backup = "from project.jobs.backup_database import back_up; back_up()"
    hold = "from scheduler_app import single; single.lock(); import logging; logging.getLogger('x').warning('y')"
    manage(var, "shell", "-v", "0", "-c", f"{backup}\n{hold}")
    written = [path for path in var.rglob("*") if path.is_file()]
    assert {"vigil.sqlite3", "vigil.sqlite3.scheduler.lock", "scheduler.log"} <= {
        one.name for one in written
    }
    assert list((var / "backups").iterdir())
    assert {path: oct(mode(path)) for path in written if mode(path) & 0o077} == {}
    assert mode(var) == 0o700


def test_files_of_before_are_corrected(tmp_path, umask):
    (tmp_path / "log").mkdir()
    other = tmp_path / "elsewhere.env"
    made = [tmp_path / "vigil.sqlite3-wal", tmp_path / "log" / "scheduler.log.1", other]
    for path in made:
        path.touch(mode=0o644)
    keep_private(tmp_path, other, tmp_path / "missing")
    assert [oct(mode(path)) for path in (tmp_path, *made)] == ["0o700", "0o600", "0o600", "0o600"]


def test_link_to_a_file_elsewhere_is_not_followed(tmp_path, umask):
    home, target = tmp_path / "var", tmp_path / "target"
    home.mkdir()
    target.touch(mode=0o644)
    (home / "old.log").symlink_to(target)
    keep_private(home)
    assert mode(target) == 0o644


@pytest.mark.parametrize(
    ("bits", "ids"),
    [(0o600, []), (0o644, [WARNING]), (0o660, [WARNING])],
)
def test_check_warns_of_a_database_that_others_can_open(tmp_path, monkeypatch, bits, ids):
    path = tmp_path / "db.sqlite3"
    path.touch()
    path.chmod(bits)
    monkeypatch.setattr(connection, "vendor", "sqlite", raising=False)
    monkeypatch.setitem(connection.settings_dict, "NAME", str(path))
    assert [one.id for one in checks.check_database_file()] == ids


def test_only_sqlite_has_files():
    assert database_files({"ENGINE": "django.db.backends.postgresql", "NAME": "vigil"}) == []
    found = database_files({"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/db"})
    assert [str(path) for path in found] == [
        "/srv/db",
        "/srv/db-wal",
        "/srv/db-shm",
        "/srv/db-journal",
    ]
