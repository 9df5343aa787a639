"""Looks on at a stock APScheduler 3 scheduler: its runs become rows, figures and alerts; it notices nothing of it.

    scheduler = BackgroundScheduler()
    scheduler_app.watch(scheduler, name="legacy", owner="olga")
    scheduler.start()

Its jobs are listed as `legacy.JOB_ID` from their first run on. Vigil never starts, changes or stops them.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from apscheduler.events import (
    EVENT_EXECUTOR_ADDED,
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor

from scheduler_app.states import Reason, RunState, RunTrigger
from scheduler_app.texts import storable
from scheduler_app.watched_jobs import Sight, sight_of
from scheduler_app.watched_runs import WatchedRuns

logger = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
HEARD = (
    EVENT_EXECUTOR_ADDED
    | EVENT_JOB_EXECUTED
    | EVENT_JOB_ERROR
    | EVENT_JOB_MISSED
    | EVENT_JOB_MAX_INSTANCES
)
ERROR_LIMIT_BYTES = 16_384
MOST_UNDER_WAY = 10_000

_watched: WeakKeyDictionary[Any, Watch] = WeakKeyDictionary()


def watch(scheduler: Any, *, name: str, owner: str = "") -> Watch:
    """Record the runs of `scheduler` from now on; before or after its start, once.

    `name` tells schedulers apart: lower-case letters, digits, dash and underscore, at most 40. `owner` is who is told
    of failures, as in the job file. Raises ValueError for another name, or for a scheduler that is watched already.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r}: lower-case letters, digits, dash, underscore; at most 40.")
    if scheduler in _watched:
        raise ValueError(f"This scheduler is watched already, as {_watched[scheduler].name}.")
    _watched[scheduler] = one = Watch(scheduler, name, owner)
    return one


class Watch:
    """The listener at one scheduler. Whatever goes wrong in it is logged and hinders no job."""

    def __init__(self, scheduler: Any, name: str, owner: str) -> None:
        self.name = name
        self._scheduler, self._owner = scheduler, owner
        self._runs = WatchedRuns(name)
        self._sights: dict[str, Sight] = {}
        self._under_way: dict[tuple[str, datetime], _Submission] = {}
        scheduler.add_listener(self._heard, HEARD)
        for executor in list(scheduler._executors.values()):
            self._stand_beside(executor)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Look on no longer, and write what was seen; False when that took longer."""
        self._scheduler.remove_listener(self._heard)
        for executor in list(self._scheduler._executors.values()):
            vars(executor).pop("submit_job", None)
        _watched.pop(self._scheduler, None)
        return self._runs.close(timeout_s)

    def _heard(self, event: Any) -> None:
        try:
            if event.code == EVENT_EXECUTOR_ADDED:
                self._stand_beside(self._scheduler._lookup_executor(event.alias))
            elif event.code == EVENT_JOB_MAX_INSTANCES:
                self._note_overlap(event)
            else:
                self._note_end(event)
        except Exception:  # theirs is the scheduler, ours only to look on
            logger.exception("watching_failed", extra={"watch": self.name})

    def _stand_beside(self, executor: Any) -> None:
        """Hear of each submission before it begins: APScheduler's own event comes after short jobs have ended."""
        if "submit_job" in vars(executor):
            return
        submit = executor.submit_job

        def submit_job(job: Any, run_times: Sequence[datetime]) -> Any:
            return submit(self._submitted(executor, job, run_times), run_times)

        executor.submit_job = submit_job

    def _submitted(self, executor: Any, job: Any, run_times: Sequence[datetime]) -> Any:
        """What is to be submitted in the place of `job`."""
        try:
            self._sights[job.id] = sight_of(job, self.name, self._owner)
            submission = _Submission()
            for run_time in run_times:
                self._under_way[job.id, run_time] = submission
            while len(self._under_way) > MOST_UNDER_WAY:  # their ends were never told
                del self._under_way[next(iter(self._under_way))]
            return _Timed(job, submission) if isinstance(executor, ThreadPoolExecutor) else job
        except Exception:  # theirs is the scheduler, ours only to look on
            logger.exception("watching_failed", extra={"watch": self.name})
            return job

    def _note_end(self, event: JobExecutionEvent) -> None:
        submission = self._under_way.pop((event.job_id, event.scheduled_run_time), None)
        values: dict[str, Any] = {"finished_at": datetime.now(UTC)}
        if event.code == EVENT_JOB_MISSED:
            values |= {"state": RunState.MISSED, "reason": Reason.GRACE, "error": MISSED}
        else:
            values |= submission.span() if submission else {}
            values |= {"state": RunState.SUCCESS}
            if event.code == EVENT_JOB_ERROR:
                values |= {"state": RunState.FAILED, **_error(event)}
        self._put(event.job_id, event.scheduled_run_time, values)

    def _note_overlap(self, event: JobSubmissionEvent) -> None:
        first, last = event.scheduled_run_times[0], event.scheduled_run_times[-1]
        for run_time in event.scheduled_run_times:
            self._under_way.pop((event.job_id, run_time), None)
        values = {
            "state": RunState.SKIPPED,
            "reason": Reason.OVERLAP,
            "finished_at": datetime.now(UTC),
            "slot_last": last if last != first else None,
            "slot_count": len(event.scheduled_run_times),
        }
        self._put(event.job_id, first, values)

    def _put(self, job_id: str, slot: datetime, values: dict[str, Any]) -> None:
        sight = self._sights.get(job_id)
        if sight is None:  # submitted before we looked on
            return
        when = {"slot": slot, "ready_at": slot, "queued_at": slot}
        origin = {"trigger": RunTrigger.WATCHED, "token": uuid.uuid4().hex}
        self._runs.put(sight, {**origin, **when, **values})


class _Submission:
    """Runs that were handed to an executor together: they are executed one after the other."""

    def __init__(self) -> None:
        self._submitted_at, self._begin_s = datetime.now(UTC), time.perf_counter()
        self.timed: list[tuple[datetime, float]] = []
        """Start and duration (ms) of those that were executed, in their order."""

    def span(self) -> dict[str, Any]:
        """Start and duration of the next one that ended; from its submission on where nobody could time it."""
        if self.timed:
            started_at, duration_ms = self.timed.pop(0)
        else:
            started_at = self._submitted_at
            duration_ms = (time.perf_counter() - self._begin_s) * 1000
        return {"started_at": started_at, "duration_ms": duration_ms}


class _Timed:
    """A job for a pool of threads, whose function is timed where it is called."""

    def __init__(self, job: Any, submission: _Submission) -> None:
        self._job, self._submission = job, submission

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def __str__(self) -> str:
        return str(self._job)

    def func(self, *args: Any, **kwargs: Any) -> Any:
        started_at, begin_s = datetime.now(UTC), time.perf_counter()
        try:
            return self._job.func(*args, **kwargs)
        finally:
            duration_ms = (time.perf_counter() - begin_s) * 1000
            self._submission.timed.append((started_at, duration_ms))


MISSED = "The scheduler found it later than its misfire_grace_time allows, and did not run it."


def _error(event: JobExecutionEvent) -> dict[str, str]:
    kind = type(event.exception).__name__
    try:
        text = f"{kind}: {event.exception}"
    except Exception:  # noqa: BLE001 - an odd value of somebody else's class
        text = f"{kind} (cannot be shown)"
    return {
        "error": storable(text, ERROR_LIMIT_BYTES),
        "traceback": storable(f"{event.traceback or ''}{text}", ERROR_LIMIT_BYTES),
    }
