"""Wheels and virtual environments for tests that install Vigil as a team does; all made in folders of the test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.environment import OF_THE_MACHINE, ROOT

PACKAGES = ("scheduler_app", "alerts_app", "notifications_app")
SOURCES = (*PACKAGES, "pyproject.toml", "setup.py", "README.md", "LICENSE")
BLOCK = re.compile(r"```(?:python|sh)\n# (?P<file>\S+)\n(?P<text>.*?)```", re.DOTALL)
NO_REGISTRY = ("No matching distribution", "ConnectionError", "Max retries exceeded")


def copy_sources(folder: Path) -> Path:
    """What a checkout holds for the build, without what tests compiled."""
    folder.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.mo", "__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def pip(python: str | Path, *arguments: str) -> str:
    """What `pip ARGUMENTS` says. Skips the test where there is no package registry."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode and any(words in done.stderr for words in NO_REGISTRY):
        pytest.skip(f"there is no package registry: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def make_venv(folder: Path, *requirements: str) -> Path:
    """The Python of a new environment in which `requirements` (arguments of pip install) are installed."""
    done = subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this Python makes no virtual environments")
    python = folder / "bin" / "python"
    pip(python, "install", "--quiet", *requirements)
    return python


def environment(**changes: str) -> dict[str, str]:
    """The machine's own, and how pip reaches its registry; nothing of this site's settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in OF_THE_MACHINE or name.upper().startswith("PIP_") or "proxy" in name.lower()
    }
    return {**kept, **changes}


def documented(page: str) -> Mapping[str, str]:
    """The code blocks of a page in docs/ that begin with `# FILE`, by file."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return {found["file"]: found["text"] for found in BLOCK.finditer(text)}
