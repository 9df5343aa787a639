"""All figures, as JSON and for Prometheus; apps above add sections of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

Snapshot = Callable[[datetime], dict[str, Any]]
"""Returns top-level keys for the JSON snapshot at a time."""
Lines = Callable[[datetime], Iterable[str]]
"""Yields lines in Prometheus's text format."""

_snapshots: dict[str, Snapshot] = {}
_lines: dict[str, Lines] = {}


def register(name: str, *, snapshot: Snapshot, lines: Lines) -> None:
    """Let an app above add its figures to both views."""
    _snapshots[name] = snapshot
    _lines[name] = lines
