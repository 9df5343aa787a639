"""The way from a script of this folder to `manage.py`, whichever Python it was started with."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PYTHON = HOME / ".venv/bin/python"


def become_command(command: str) -> None:
    """Replace this process by `manage.py COMMAND` with the script's own arguments, in the project's folder."""
    has_django = importlib.util.find_spec("django") is not None
    if not has_django and not PYTHON.exists():
        sys.exit(
            f"{sys.executable} has no Django and there is no {PYTHON}: run scripts/run once, it makes it."
        )
    python = sys.executable if has_django else str(PYTHON)
    os.chdir(HOME)
    os.execv(python, [python, str(HOME / "manage.py"), command, *sys.argv[1:]])  # noqa: S606 - our own command
