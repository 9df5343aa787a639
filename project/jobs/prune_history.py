"""Deletes old rows; what goes stays in the figures."""

from __future__ import annotations

from scheduler_app import retention
from scheduler_app.clock import db_now


def prune() -> dict[str, int]:
    """Returns the number of rows deleted by table."""
    return retention.prune(db_now())
