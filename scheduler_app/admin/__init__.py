"""The Django admin of what the scheduler has. Stock admin; each class may be unregistered or subclassed."""

from __future__ import annotations

from scheduler_app.admin import foreign
from scheduler_app.admin.calendar_days import CalendarDayAdmin
from scheduler_app.admin.jobs import ScheduledJobAdmin
from scheduler_app.admin.nodes import NodeAdmin
from scheduler_app.admin.runs import JobRunAdmin

__all__ = ["CalendarDayAdmin", "JobRunAdmin", "NodeAdmin", "ScheduledJobAdmin"]

foreign.unregister()
