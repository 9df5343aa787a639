"""A plain Django project with Vigil's apps, as processes (see tests/plain_settings.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.environment import ROOT
from tests.packages import environment

ALL = "scheduler_app,alerts_app,notifications_app"


class Plain:
    """Commands in a project of tests/plain_settings.py, whose database and logs are in `folder`."""

    def __init__(
        self, folder: Path, apps: str = ALL, hidden: Sequence[str] = (), **env: str
    ) -> None:
        names = {"FOLDER": str(folder), "APPS": apps, "WITHOUT": ",".join(hidden)}
        self.env = environment(
            DJANGO_SETTINGS_MODULE="tests.plain_settings",
            **{f"VIGIL_TEST_{name}": value for name, value in names.items()},
            **env,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """What `python -m ARGUMENTS` says, on both streams."""
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def story(self) -> dict[str, Any]:
        """A good and a bad run with all that follows from them."""
        self.run("tests.plain_story", "begin")
        self.run("django", "runscheduler", "--once")
        said = self.run("tests.plain_story", "end").rpartition("ANSWER ")[2]
        told: dict[str, Any] = json.JSONDecoder().raw_decode(said)[0]
        return told
