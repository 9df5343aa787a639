from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scheduler_app.watching import Watch


def watch(scheduler: Any, *, name: str, owner: str = "") -> Watch:
    """Record what a stock APScheduler runs: see `scheduler_app.watching`."""
    from scheduler_app import watching  # needs models, which are there when Django is set up

    return watching.watch(scheduler, name=name, owner=owner)
