"""The Django admin of jobs, runs and nodes. Stock admin; each class may be unregistered or subclassed."""

from __future__ import annotations

from scheduler_app.admin import foreign
from scheduler_app.admin.jobs import ScheduledJobAdmin
from scheduler_app.admin.nodes import NodeAdmin
from scheduler_app.admin.runs import JobRunAdmin

__all__ = ["JobRunAdmin", "NodeAdmin", "ScheduledJobAdmin"]

foreign.unregister()
