"""The mirror of the job file: a three-way merge of each field, and the one verb that changes a job.

A field has three values: what the file said when it was last read, what it says now, and what the database has. A
value changed here stays (that is drift) until the file agrees or somebody resets it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from scheduler_app import claims, epochs, future_times
from scheduler_app.clock import db_now
from scheduler_app.closest import LOOKED_AT, suggestion
from scheduler_app.declarations import JobDeclaration
from scheduler_app.errors import (
    EditConflictError,
    StaleFileError,
    UnknownJobError,
    WatchedJobError,
)
from scheduler_app.jobfile import JobFile
from scheduler_app.models import JobGate, ScheduledJob, SyncedFile, Timetable
from scheduler_app.signals import file_synced
from scheduler_app.states import JobState

logger = logging.getLogger(__name__)

FIELDS = tuple(name for name in JobDeclaration.FIELDS if name != "id")
EDITABLE = tuple(name for name in FIELDS if name not in ("module", "callable"))
"""What may be changed outside the file: never what code is called."""


@dataclass(slots=True)
class SyncReport:
    """What a sync did (or would do), by job id."""

    source: str
    digest: str
    created: list[str] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)
    orphaned: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    drift: dict[str, list[str]] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    """Jobs whose next slot was stored while the clock was ahead."""

    @property
    def is_quiet(self) -> bool:
        return not (self.created or self.changed or self.orphaned or self.returned or self.late)


def sync(file: JobFile, *, force: bool = False) -> SyncReport:
    """Bring the mirror up to `file`, in one transaction.

    Raises StaleFileError when this version was synced before, replaced since, and not touched on disk after that,
    unless `force`. Jobs of other files are left alone.
    """
    for last_try in (False, True):
        try:
            with transaction.atomic():
                report = _sync(file, force=force)
            break
        except IntegrityError:  # another process synced the same new jobs at the same moment
            if last_try:
                raise
    if not report.is_quiet:
        logger.info("job_file_synced", extra={"source": file.module, "new": report.created,
                    "changed": report.changed, "orphaned": report.orphaned, "late": report.late})  # fmt: skip
    return report


def preview(file: JobFile, *, force: bool = False) -> SyncReport:
    """What `sync` would do, found by reading alone. Raises StaleFileError as `sync` does."""
    versions = SyncedFile.objects.filter(source=file.module).order_by("-pk")
    _refuse_older(file, versions, versions.first(), force=force)
    ids = {job.id for job in file.jobs} | _ids_of(file.module)
    report = _compare(file, ScheduledJob.objects.in_bulk(ids))
    report.late = [one.job_id for one in future_times.find(db_now(), ids)]
    return report


def _sync(file: JobFile, *, force: bool) -> SyncReport:
    versions = SyncedFile.objects.filter(source=file.module).order_by("-pk")
    newest = versions.select_for_update().first()
    _refuse_older(file, versions, newest, force=force)
    declared = {job.id: job for job in file.jobs}
    known = _lock_jobs(set(declared) | _ids_of(file.module))
    report = _compare(file, known)
    now = db_now()  # after the locks: no claim moves a cursor past it any more
    if newest is None or newest.digest != file.digest:
        SyncedFile.objects.create(source=file.module, digest=file.digest, synced_at=now)
    for job_id in sorted(declared):
        if job_id in known:
            _merge(known[job_id], declared[job_id], file.module, now)
        else:
            _create(declared[job_id], file.module, now)
    for job_id in report.orphaned:
        _apply(known[job_id], {"state": JobState.ORPHANED}, now, "left the job file")
    late = future_times.find(now, known)
    future_times.mend(late, now)
    report.late = [one.job_id for one in late]
    file_synced.send(job_file=file, now=now)
    return report


def _compare(file: JobFile, known: Mapping[str, ScheduledJob]) -> SyncReport:
    report = SyncReport(source=file.module, digest=file.digest)
    declared = {job.id: job for job in file.jobs}
    for job_id, entry in sorted(declared.items()):
        job = known.get(job_id)
        changes, overrides = _merged(job, entry) if job else ({}, {})
        if job is None:
            report.created.append(job_id)
        elif job.state == JobState.ORPHANED:
            report.returned.append(job_id)
        if overrides:
            report.drift[job_id] = sorted(overrides)
        if changes:
            report.changed[job_id] = sorted(changes)
        if not entry.enabled:
            report.disabled.append(job_id)
    left = sorted(set(known) - set(declared))
    report.orphaned += [name for name in left if known[name].state != JobState.ORPHANED]
    return report


def _refuse_older(
    file: JobFile, versions: QuerySet[SyncedFile], newest: SyncedFile | None, *, force: bool
) -> None:
    """Raises StaleFileError when `file` is a version that `newest` replaced."""
    if newest is None or force or newest.digest == file.digest:
        return
    if versions.filter(digest=file.digest).exists() and _is_older(file, newest):
        text = _(
            "%(file)s is an older version (%(old)s) than the one in force (%(new)s, synced %(time)s UTC). "
            "Deploy the newer file, or use --force to go back to this one."
        )
        when = f"{newest.synced_at:%Y-%m-%d %H:%M}"
        facts = {"file": file.module, "old": file.digest[:12], "new": newest.digest[:12]}
        raise StaleFileError(text % {**facts, "time": when})


def _is_older(file: JobFile, newest: SyncedFile) -> bool:
    try:
        return Path(file.path).stat().st_mtime <= newest.synced_at.timestamp()
    except OSError:
        return True


def _ids_of(source: str) -> set[str]:
    return set(ScheduledJob.objects.filter(source=source).values_list("pk", flat=True))


def _lock_jobs(job_ids: Iterable[str]) -> dict[str, ScheduledJob]:
    """The jobs of these ids, their timetable rows locked first and made where they are missing."""
    ids = sorted(ScheduledJob.objects.filter(pk__in=job_ids).values_list("pk", flat=True))
    rows = Timetable.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    have = {row.pk for row in rows}
    for job_id in ids:
        if job_id not in have:
            Timetable.objects.create(job_id=job_id, epoch=epochs.NO_EPOCH)
    return ScheduledJob.objects.in_bulk(ids)


def _create(declared: JobDeclaration, source: str, now: datetime) -> None:
    values = _values(declared)
    job = ScheduledJob.objects.create(
        id=declared.id, source=source, file_values=values, created_at=now, updated_at=now, **values
    )
    JobGate.objects.create(job=job)
    row = Timetable.objects.create(job=job, epoch=epochs.NO_EPOCH)
    if epochs.is_on(job):
        epochs.open_epoch(job, row, now, f"new in {source}")


def _values(declared: JobDeclaration) -> dict[str, Any]:
    values = declared.as_dict()
    return {name: values[name] for name in FIELDS}


def _merged(job: ScheduledJob, declared: JobDeclaration) -> tuple[dict[str, Any], dict[str, Any]]:
    """What becomes of `job`: the values that it takes over from the file, and the overrides that it keeps."""
    wanted = _values(declared)
    overrides = {
        name: why for name, why in job.overrides.items() if getattr(job, name) != wanted[name]
    }
    changes = {
        name: value
        for name, value in wanted.items()
        if name not in overrides and getattr(job, name) != value
    }
    return changes, overrides


def _merge(job: ScheduledJob, declared: JobDeclaration, source: str, now: datetime) -> None:
    changes, overrides = _merged(job, declared)
    if job.state in (JobState.ORPHANED, JobState.WATCHED) or changes:
        changes.update(state=JobState.ACTIVE, state_error="")
    changes.update(file_values=_values(declared), overrides=overrides, source=source)
    _apply(job, changes, now, f"synced from {source}")


def edit(
    job_id: str,
    changes: Mapping[str, Any],
    *,
    by: str,
    why: str = "",
    revision: int | None = None,
) -> ScheduledJob:
    """Change fields of a job outside the file; in force at once. The values have been validated.

    Raises UnknownJobError, WatchedJobError, and EditConflictError when `revision` is not the present one.
    """
    with transaction.atomic():
        job = _lock_job(job_id)
        require_ours(job)
        if revision is not None and job.revision != revision:
            text = _(
                "%(job)s was changed by somebody else in the meantime (revision %(revision)s): "
                "look at the new values and try again."
            )
            raise EditConflictError(text % {"job": job_id, "revision": job.revision})
        now = db_now()
        overrides = dict(job.overrides)
        for name, value in changes.items():
            if name not in EDITABLE:
                raise ValueError(f"{name} cannot be changed outside the job file.")
            if value == job.file_values.get(name):
                overrides.pop(name, None)
            elif value != getattr(job, name) or name not in overrides:
                overrides[name] = {"by": by, "at": now.isoformat(), "why": why}
        mended = (
            {"state": JobState.ACTIVE, "state_error": ""} if job.state == JobState.BROKEN else {}
        )
        _apply(job, {**changes, **mended, "overrides": overrides}, now, f"changed by {by}")
    logger.info(
        "job_edited", extra={"job_id": job_id, "fields": sorted(changes), "by": by, "why": why}
    )
    return job


def set_enabled(job_id: str, enabled: bool, *, by: str, why: str = "") -> ScheduledJob:
    """Switch a job on or off; slots of the time while it was off are nobody's."""
    return edit(job_id, {"enabled": enabled}, by=by, why=why)


def reset(job_id: str, fields: Iterable[str] = (), *, by: str) -> ScheduledJob:
    """Give `fields` (all by default) the values that the file last had."""
    job = get(job_id)
    names = [name for name in (tuple(fields) or FIELDS) if name in job.overrides]
    return edit(job_id, {name: job.file_values[name] for name in names}, by=by, why="reset to file")


def get(job_id: str) -> ScheduledJob:
    try:
        return ScheduledJob.objects.get(pk=job_id)
    except ScheduledJob.DoesNotExist:
        raise _unknown(job_id) from None


def require_ours(job: ScheduledJob) -> None:
    """Raises WatchedJobError."""
    if job.state == JobState.WATCHED:
        text = _("%(job)s is run by another scheduler (%(source)s): change or start it there.")
        raise WatchedJobError(text % {"job": job.pk, "source": job.source})


def _lock_job(job_id: str) -> ScheduledJob:
    jobs = _lock_jobs([job_id])
    if job_id not in jobs:
        raise _unknown(job_id)
    return jobs[job_id]


def _unknown(job_id: str) -> UnknownJobError:
    text = _("There is no job %(job)r.") % {"job": job_id}
    hint = suggestion(job_id, ScheduledJob.objects.values_list("pk", flat=True)[:LOOKED_AT])
    return UnknownJobError(f"{text} {hint}".strip())


def _apply(job: ScheduledJob, changes: Mapping[str, Any], now: datetime, reason: str) -> None:
    """The one verb: settle what is due, change the job, and begin a new epoch where its slots change."""
    row = Timetable.objects.get(pk=job.pk)
    before = epochs.definition_of(job) if row.epoch else None
    different = {name: value for name, value in changes.items() if getattr(job, name) != value}
    was_on = row.epoch != epochs.NO_EPOCH
    for name, value in different.items():
        setattr(job, name, value)
    is_on = epochs.is_on(job)
    if was_on and (not is_on or before != epochs.definition_of(job)):
        claims.settle([claims.Cursor(row.pk, row.next_run_time, row.epoch)], now)
        row.refresh_from_db()
        epochs.close_epoch(row, now)
    if different:
        job.revision += 1
        job.updated_at = now
        job.save(update_fields=[*different, "revision", "updated_at"])
    if is_on and row.epoch == epochs.NO_EPOCH:
        epochs.open_epoch(job, row, now, reason)
