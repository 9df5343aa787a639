"""The environment of every test and of every process that tests start: nothing of the developer's `.env` or shell."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from project.configuration.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(tempfile.mkdtemp(prefix="vigil-tests-"))
OWNER = os.getpid()

ADMIN_PASSWORD = "tests-admin-password"
METRICS_TOKEN = "tests-metrics-token"

# The default of each variable, so that none is read from the developer's .env; and what differs in tests.
NEUTRAL: Mapping[str, str] = {
    **{one.name: one.default for one in VARIABLES.values() if not one.only_process},
    "ADMIN_PASSWORD": ADMIN_PASSWORD,
    "DATABASE_URL": f"sqlite:///{FOLDER / 'vigil.sqlite3'}",
    "LOG_DIR": str(FOLDER / "log"),
    "METRICS_TOKEN": METRICS_TOKEN,
    "RISK_REGISTER": str(FOLDER / "var" / "docs" / "RISK_REGISTER.md"),
    "SCHEDULER_ISOLATION": "thread",
    "SECRET_KEY": "tests-secret-key-that-is-long-enough-for-every-check-0123456789",
    "VAR_DIR": str(FOLDER / "var"),
    "VERIFY_LOG": str(FOLDER / "var" / "docs" / "BURNDOWN_TRACKING_LOG.md"),
    "VIGIL_ENV_FILE": os.devnull,
}
OF_THE_MACHINE = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "CI")


def isolate() -> None:
    """Give this process the neutral environment; only DATABASE_URL may come from outside (see tests/storeys.py)."""
    database_url = os.environ.get("DATABASE_URL") or NEUTRAL["DATABASE_URL"]
    os.environ.update(NEUTRAL, DATABASE_URL=database_url, DJANGO_SETTINGS_MODULE="project.settings")
    os.environ.pop("VIGIL_LOG_STDOUT", None)


def clean(**changes: str) -> dict[str, str]:
    """The whole environment for a process that a test starts: neutral values, then `changes`."""
    kept = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    return {**kept, **NEUTRAL, "DJANGO_SETTINGS_MODULE": "project.settings", **changes}


@atexit.register
def _remove_folder() -> None:
    if os.getpid() == OWNER:  # not in a forked child
        shutil.rmtree(FOLDER, ignore_errors=True)
