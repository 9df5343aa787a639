"""The second record of every run: APScheduler's own event, at the real completion."""

from __future__ import annotations

import logging

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent

from scheduler_app.assignments import Assignment, RunResult
from scheduler_app.states import FAILED_STATES

logger = logging.getLogger(__name__)

COMPLETED = EVENT_JOB_EXECUTED | EVENT_JOB_ERROR


class RunEvent(JobExecutionEvent):  # type: ignore[misc]
    """A JobExecutionEvent that knows its run."""

    def __init__(self, task: Assignment, result: RunResult) -> None:
        failed = result.state in FAILED_STATES
        super().__init__(
            EVENT_JOB_ERROR if failed else EVENT_JOB_EXECUTED,
            task.job_id,
            "default",
            task.slot,
            retval=result.result or None,
            exception=result.error if failed else None,
            traceback=result.traceback or None,
        )
        self.run_id = task.run_id
        self.outcome = str(result.state)
        self.duration_ms = result.duration_ms


def job_listener(event: RunEvent) -> None:
    """Log one completed run."""
    extra = {
        "job_id": event.job_id,
        "run_id": event.run_id,
        "outcome": event.outcome,
        "duration_ms": round(event.duration_ms, 3),
    }
    logger.info("job_completed", extra=extra)
