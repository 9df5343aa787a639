"""Old rows go in bounded batches; what goes is booked, so that every figure stays true (promise P6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Pruner = Callable[[datetime, bool], int]
"""`pruner(now, dry_run)` deletes what is too old (or counts it) and returns how many rows that is."""

_pruners: dict[str, Pruner] = {}


def register(name: str, pruner: Pruner) -> None:
    """Let an app prune tables of its own; `name` is what the report calls them."""
    _pruners[name] = pruner


def prune(now: datetime, *, dry_run: bool = False) -> dict[str, int]:
    """Rows deleted (or to be deleted) by name."""
    return {name: pruner(now, dry_run) for name, pruner in _pruners.items()}
