"""The jobs of schedulers that are watched, as rows beside our own. Written by nobody else."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from scheduler_app import epochs
from scheduler_app.models import JobGate, ScheduledJob, Timetable
from scheduler_app.states import JobState
from scheduler_app.texts import clean, cut_line

logger = logging.getLogger(__name__)

SOURCE = "watched:"
LONGEST_ID = 100
_ODD = re.compile(r"[^a-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of a job from looking at it; fit to be stored."""

    id: str
    source: str
    name: str
    module: str
    callable: str
    cron: str
    timezone: str
    owner: str
    category: str


def sight_of(job: Any, watch: str, owner: str) -> Sight:
    """Of an APScheduler job of the scheduler that is watched as `watch`."""
    module, _, callable = (job.func_ref or "").partition(":")
    return Sight(
        id=id_of(watch, job.id),
        source=f"{SOURCE}{watch}",
        name=cut_line(str(job.name or job.id), 200),
        module=cut_line(module, 200),
        callable=cut_line(callable, 200),
        cron=cut_line(str(job.trigger), 200),
        timezone=cut_line(str(getattr(job.trigger, "timezone", "")), 64),
        owner=cut_line(owner, 150),
        category=watch,
    )


def id_of(watch: str, job_id: str) -> str:
    """Our id of their job; one that had to be changed keeps apart from others by a digest."""
    plain = f"{watch}.{job_id}"
    if not _ODD.search(plain) and len(plain) <= LONGEST_ID:
        return plain
    digest = hashlib.sha256(clean(job_id).encode()).hexdigest()[:8]
    return f"{_ODD.sub('_', plain.lower())[: LONGEST_ID - 9]}-{digest}"


def keep(sights: Iterable[Sight], now: datetime) -> set[str]:
    """Make or renew the rows of these jobs, in the caller's transaction; returns the ids whose rows are theirs.

    A job that the job file declares under the same id is not theirs (any more).
    """
    latest = {sight.id: sight for sight in sights}
    list(Timetable.objects.select_for_update().filter(pk__in=latest).order_by("pk"))
    known = ScheduledJob.objects.in_bulk(list(latest))
    theirs = set()
    for job_id, sight in sorted(latest.items()):
        job = known.get(job_id)
        if job is None:
            _create(sight, now)
        elif job.state != JobState.WATCHED or job.source != sight.source:
            logger.error("watched_job_is_declared", extra={"job_id": job_id, "watch": sight.source})
            continue
        else:
            _renew(job, sight, now)
        theirs.add(job_id)
    return theirs


def _create(sight: Sight, now: datetime) -> None:
    job = ScheduledJob.objects.create(
        **asdict(sight), state=JobState.WATCHED, created_at=now, updated_at=now
    )
    JobGate.objects.create(job=job)
    Timetable.objects.create(job=job, epoch=epochs.NO_EPOCH)


def _renew(job: ScheduledJob, sight: Sight, now: datetime) -> None:
    changed = [name for name, value in asdict(sight).items() if getattr(job, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(job, name, getattr(sight, name))
    job.revision += 1
    job.updated_at = now
    job.save(update_fields=[*changed, "revision", "updated_at"])
