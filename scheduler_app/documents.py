"""Markdown documents that commands add lines to and people edit by hand."""

from __future__ import annotations

import fcntl
import html
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings  # noqa: TID251 - BASE_DIR is the project's, no setting of the app

from scheduler_app.texts import cut_line

CELL_END = re.compile(r"(?<!\\)\|")


def path_of(setting: str) -> Path:
    """The path that a setting means: relative ones begin in the project's folder."""
    return Path(getattr(settings, "BASE_DIR", "")) / setting


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text of `path` by `change(text)`, one process at a time; "" stands for a missing file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = change(file.read())
        file.seek(0)
        file.write(text)
        file.truncate()


def row(cells: Sequence[object]) -> str:
    """A line of a Markdown table; whatever a cell says, it stays one cell."""
    return f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"


def cells_of(line: str) -> list[str]:
    """The cells of a line that `row` (or a person) wrote."""
    parts = CELL_END.split(line.strip().removeprefix("|").removesuffix("|"))
    return [html.unescape(part.strip().replace("\\|", "|")) for part in parts]


def _cell(text: str) -> str:
    return html.escape(cut_line(text, 500), quote=False).replace("|", "\\|")
