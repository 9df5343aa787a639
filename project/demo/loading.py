"""Brings the demo in and takes it out again; what is not the demo's is not touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from alerts_app.models import AlertRecord
from alerts_app.sources.runs import fingerprint_of
from project.demo import history, past_alerts, person
from project.demo.errors import DemoError
from scheduler_app import epochs, jobfile, ledger, mirror, rollups
from scheduler_app.clock import db_now
from scheduler_app.models import (
    DurationTally,
    JobRun,
    LastMiss,
    LastRun,
    RunTally,
    ScheduledJob,
    ScheduleEpoch,
    SyncedFile,
    Timetable,
)
from scheduler_app.states import RunState, RunTrigger

SOURCE = "project.demo.jobs"
REASON = "history of the demo"

Progress = Callable[[int, int], None]
"""Called with (rows written, rows in all)."""


@dataclass(slots=True)
class Loaded:
    """How many rows were written (or would be)."""

    jobs: int = 0
    runs: int = 0
    alerts: int = 0


def load(
    *, days: int, dry_run: bool = False, progress: Progress = lambda done, total: None
) -> Loaded:
    """Add the demo's jobs, person and a history of `days`, in one transaction. Jobs that have one get no second.

    Raises DemoError when the name of the person or the id of a job is somebody else's.
    """
    file = jobfile.load(SOURCE)
    taken = ScheduledJob.objects.filter(pk__in=[job.id for job in file.jobs]).exclude(source=SOURCE)
    if taken.exists():
        names = ", ".join(taken.values_list("pk", flat=True))
        raise DemoError(f"These jobs are declared elsewhere and not the demo's: {names}.")
    with transaction.atomic():
        person.ensure()
        new = mirror.sync(file, force=True).created
        loaded = _write_history(jobs_of_demo().filter(pk__in=new), days, progress)
        transaction.set_rollback(dry_run)
    return loaded


def _write_history(jobs: QuerySet[ScheduledJob], days: int, progress: Progress) -> Loaded:
    now = db_now()
    rows = [
        run
        for job in jobs.order_by("pk")
        for run in _past_runs(job, now - timedelta(days=days), now)
    ]
    rows.sort(key=lambda run: (run.finished_at, run.job_id))
    stored: list[JobRun] = []
    for day in _by_day(rows):
        stored += JobRun.objects.bulk_create(day)
        # without starts: the lags of all jobs are counted together, and these could not be taken out again
        rollups.count_runs([replace(ledger.ended_of(run), started_at=None) for run in day])
        progress(len(stored), len(rows))
    alerts = 0
    for job in jobs.order_by("pk"):
        mine = [ledger.ended_of(run) for run in stored if run.job_id == job.pk]
        rollups.note_last(mine)
        alerts += past_alerts.write(job, mine)
    return Loaded(jobs=jobs.count(), runs=len(stored), alerts=alerts)


def _by_day(rows: Sequence[JobRun]) -> Iterator[list[JobRun]]:
    """Batches that stay clear of the database's limit on parameters."""
    for _, day in groupby(rows, key=lambda run: run.finished_at and run.finished_at.date()):
        yield list(day)


def _past_runs(job: ScheduledJob, begin: datetime, now: datetime) -> Iterator[JobRun]:
    """The rows of a closed schedule epoch that ends where the job's own begins."""
    opened = ScheduleEpoch.objects.filter(job=job, closed_at=None).first()
    end = history.end_of(history.PATTERNS[job.pk], begin, opened.opened_at if opened else now)
    definition = epochs.definition_of(job)
    epoch = ScheduleEpoch.objects.create(
        job=job, definition=definition, opened_at=begin, closed_at=end, reason=REASON
    )
    slots = epochs.schedule_of(definition, begin).between(begin, end)
    for past in history.pasts(job.pk, slots, begin, end):
        yield _run(job, epoch.pk, past)


def _run(job: ScheduledJob, epoch: int, past: history.Past) -> JobRun:
    started_at = None if past.duration_s is None else past.slot + timedelta(seconds=past.lag_s)
    succeeded = past.state == RunState.SUCCESS
    return JobRun(
        job_id=job.pk,
        epoch=epoch,
        trigger=RunTrigger.SCHEDULE,
        slot=past.slot,
        slot_last=past.slot_last,
        slot_count=past.slot_count,
        state=past.state,
        reason=past.reason,
        ready_at=past.slot,
        queued_at=past.slot if started_at else past.finished_at,
        started_at=started_at,
        finished_at=past.finished_at,
        duration_ms=None if past.duration_s is None else past.duration_s * 1000,
        result=history.PATTERNS[job.pk].result if succeeded else "",
        error=past.error,
    )


def remove(*, dry_run: bool = False) -> dict[str, int]:
    """Take out everything of the demo; returns how many rows of each kind there were."""
    if not dry_run:
        for job in jobs_of_demo().filter(enabled=True):  # so that no scheduler is starting one
            mirror.set_enabled(job.pk, False, by="load_demo --remove")
    counts = {}
    with transaction.atomic():
        for name, rows in _traces().items():
            counts[name] = rows.count()
            if not dry_run:
                rows.delete()
    return counts


def _traces() -> dict[str, QuerySet[Any]]:
    """All rows of the demo, in an order in which they can go."""
    ids = list(jobs_of_demo().values_list("pk", flat=True))
    list(Timetable.objects.select_for_update().filter(job__in=ids).order_by("pk"))
    fingerprints = [fingerprint_of(job_id) for job_id in ids]
    return {
        "runs": JobRun.objects.filter(job__in=ids),
        "last runs": LastRun.objects.filter(job__in=ids),
        "last misses": LastMiss.objects.filter(job__in=ids),
        "schedule epochs": ScheduleEpoch.objects.filter(job__in=ids),
        "alerts": AlertRecord.objects.filter(fingerprint__in=fingerprints),
        "duration figures": DurationTally.objects.filter(job__in=ids),
        "run figures": RunTally.objects.filter(job__in=ids),
        "jobs": ScheduledJob.objects.filter(pk__in=ids),
        "versions of the job file": SyncedFile.objects.filter(source=SOURCE),
        "persons": person.ours(),
    }


def jobs_of_demo() -> QuerySet[ScheduledJob]:
    return ScheduledJob.objects.filter(source=SOURCE)
