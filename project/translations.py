"""Compiles the `.po` files to the `.mo` files that Django reads, without needing gettext on the machine."""

from __future__ import annotations

import os
from pathlib import Path

import polib


def compile_all(home: Path) -> list[Path]:
    """Compile each catalogue below `home`'s apps that is newer than its `.mo`; returns the files that were written.

    Raises OSError when a folder cannot be written or a catalogue cannot be parsed.
    """
    catalogues = sorted(home.glob("*/locale/*/LC_MESSAGES/*.po")) + sorted(
        home.glob("locale/*/LC_MESSAGES/*.po")
    )
    return [_compile(path) for path in catalogues if _is_newer(path)]


def _is_newer(path: Path) -> bool:
    compiled = path.with_suffix(".mo")
    return not compiled.exists() or path.stat().st_mtime > compiled.stat().st_mtime


def _compile(path: Path) -> Path:
    """Under another name first: a process that starts meanwhile reads the old or the new one, never half."""
    compiled = path.with_suffix(".mo")
    unfinished = path.with_suffix(f".{os.getpid()}.mo")
    polib.pofile(str(path)).save_as_mofile(str(unfinished))
    unfinished.replace(compiled)
    return compiled
