from __future__ import annotations

from scheduler_app.models.jobs import (
    CalendarDay,
    JobGate,
    ScheduledJob,
    ScheduleEpoch,
    SyncedFile,
    Timetable,
)
from scheduler_app.models.nodes import Node
from scheduler_app.models.runs import JobRun, LastMiss, LastRun
from scheduler_app.models.tallies import DurationTally, RunTally

__all__ = [
    "CalendarDay",
    "DurationTally",
    "JobGate",
    "JobRun",
    "LastMiss",
    "LastRun",
    "Node",
    "RunTally",
    "ScheduleEpoch",
    "ScheduledJob",
    "SyncedFile",
    "Timetable",
]
