"""A stock Django project that a test makes, and adds Vigil to as docs/foreign-project.md says."""

from __future__ import annotations

import json
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from tests import packages
from tests.servers import Running

SETTINGS = "mysite/settings.py"


class ForeignProject:
    """`folder` holds the project; `python` has Vigil installed."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.started: list[Running] = []
        self._run("-m", "django", "startproject", "mysite", str(folder))

    def add(self, file: str, text: str) -> None:
        """Append `text` to a file of the project."""
        with (self.folder / file).open("a", encoding="utf-8") as out:
            out.write(f"\n{textwrap.dedent(text)}")

    def manage(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`manage.py ARGUMENTS`, that has to end well."""
        return self._run("manage.py", *arguments, **env)

    def start(self, *arguments: str) -> Running:
        """`python ARGUMENTS` in the background; `stop_all(self.started)` ends it."""
        command = [str(self.python), *arguments]
        env = packages.environment(PYTHONUNBUFFERED="1")
        self.started.append(Running(command, env=env, folder=self.folder, cwd=self.folder))
        return self.started[-1]

    def ask(self, code: str) -> Any:
        """What `code` assigns to `answer`, in a process of the project with a test client `client` of its admin."""
        script = self.folder / "ask.py"
        script.write_text(
            f"{ASK_BEFORE}{textwrap.dedent(code)}\nprint('ANSWER', json.dumps(answer))\n"
        )
        said = self._run("ask.py").stdout
        return json.loads(said.rpartition("ANSWER ")[2])

    def _run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder if arguments[0] != "-m" else None,
            env=packages.environment(**env),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done


ASK_BEFORE = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
import django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
client = Client(SERVER_NAME="localhost")
if admin := get_user_model()._default_manager.filter(is_superuser=True).first():
    client.force_login(admin)
"""
