"""APScheduler's view of our timetable: asking for due jobs is the claim."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.job import Job
from django.db import Error, close_old_connections
from django_apscheduler.jobstores import DjangoJobStore

from scheduler_app import claims, outages

logger = logging.getLogger(__name__)

SOONEST = timedelta(milliseconds=50)
LATEST = timedelta(milliseconds=500)


class SlotStore(DjangoJobStore):  # type: ignore[misc]
    """A job store whose rows are the Timetable; no query of the stock store is left.

    The stock store keeps pickles, deletes rows that it cannot read and records runs in tables of its own; this one does
    none of it. Due slots become queued runs in the claim's transaction, so no job object is handed to APScheduler's
    loop: `on_queued` wakes whoever takes queued runs.
    """

    def __init__(self, on_queued: Callable[[], object]) -> None:
        super().__init__()
        self._on_queued = on_queued
        self.ticked_at = datetime.now(UTC)

    def start(self, scheduler: Any, alias: str) -> None:
        self._scheduler, self._alias = scheduler, alias

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Claim all that is due by the database's clock; `now` (this machine's) is not asked."""
        try:
            close_old_connections()
            self._claim_all()
        except Error as error:  # APScheduler logs it and calls again after a second
            outages.let_go(error)
            raise
        self.ticked_at = datetime.now(UTC)
        return []

    def _claim_all(self) -> None:
        more = True
        while more:
            claimed = claims.claim()
            more = claimed.more
            if claimed.queued:
                self._on_queued()

    def get_next_run_time(self) -> datetime:
        """At most 500 ms ahead: an edit, or a clock that is off, delays nothing by more.

        What is due and was not claimed is somebody else's, or not due yet by the database's clock: in 50 ms.
        """
        now = datetime.now(UTC)
        try:
            due = claims.next_due()
        except Error as error:
            outages.note(logger, error, waits="timetable_unreadable", failed="timetable_unreadable")
            due = None
        if due is None:
            return now + LATEST
        return min(due, now + LATEST) if due > now else now + SOONEST

    def lookup_job(self, job_id: str) -> None:
        return None

    def get_all_jobs(self) -> list[Job]:
        return []

    def add_job(self, job: Job) -> None:
        raise NotImplementedError("Jobs are declared in the job file.")

    def update_job(self, job: Job) -> None:
        raise NotImplementedError("Jobs are changed through scheduler_app.mirror.")

    remove_job = update_job

    def remove_all_jobs(self) -> None:
        raise NotImplementedError("Jobs are declared in the job file.")

    def shutdown(self) -> None:
        """Nothing is held between two ticks."""
