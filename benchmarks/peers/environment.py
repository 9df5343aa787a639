"""The peers' own Python environment, made on first use in `var/bench-venv`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.stage import Stage
from tests.environment import OF_THE_MACHINE, ROOT
from tests.servers import Running

FOLDER = ROOT / "var" / "bench-venv"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL_TIMEOUT_S = 600


def start(stage: Stage, *arguments: str, **env: str) -> Running:
    """A process of the peers' Python: `python ARGUMENTS`, with their settings. The caller stops it."""
    python = _made(stage)
    return Running([str(python), *arguments], env=_environment(env), folder=stage.folder)


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    return {**kept, "DJANGO_SETTINGS_MODULE": "benchmarks.peers.side.settings", **changes}


def _made(stage: Stage) -> Path:
    """Its Python. Made anew when what is required has changed."""
    python, stamp = FOLDER / "bin" / "python", FOLDER / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        stage.say(f"Making the peers' environment in {FOLDER.relative_to(ROOT)}, once ...")
        _run(sys.executable, "-m", "venv", "--clear", str(FOLDER))
        _run(str(python), "-m", "pip", "install", "-qq", "-r", str(REQUIREMENTS))
        stamp.write_text(wanted)
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT_S)
