"""Old rows go in bounded batches; what goes is booked, so that every figure stays true (promise P6).

Open rows stay. Failures are kept longer than successes; a job may have terms of its own. Between two batches due work
goes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, models
from django.db.models import Exists, Max, OuterRef, QuerySet, Sum
from django.db.models.functions import Coalesce

from scheduler_app import bulk, conf, quiet
from scheduler_app.clock import db_now
from scheduler_app.models import (
    DurationTally,
    JobRun,
    Node,
    RunTally,
    ScheduledJob,
    ScheduleEpoch,
    SyncedFile,
)
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.states import ALERTING_STATES, FINAL_STATES, NodeState
from scheduler_app.transactions import MAINTENANCE_S, brief

Pruner = Callable[[datetime, bool], int]
"""`pruner(now, dry_run)` deletes what is too old (or counts it) and returns how many rows that is."""

Hook = Callable[[QuerySet[Any]], Callable[[], None] | None]
"""`hook(rows)` is called in the transaction that deletes `rows`, before it does: it deletes what hangs on them.

What it returns is called after they are gone: there it books what others wait for.
"""

BATCH = 1000
"""Rows a transaction."""
NODES_KEPT = timedelta(days=7)
FILES_KEPT = 50

_pruners: dict[str, Pruner] = {}


def register(name: str, pruner: Pruner) -> None:
    """Let an app prune tables of its own; `name` is what the report calls them."""
    _pruners[name] = pruner


def prune(now: datetime, *, dry_run: bool = False) -> dict[str, int]:
    """Rows deleted (or to be deleted) by name, in the order in which the apps registered."""
    return {name: pruner(now, dry_run) for name, pruner in _pruners.items()}


def prune_history() -> dict[str, int]:
    """The job of the same name: delete what is old now; returns the number of rows by name."""
    return prune(db_now())


def delete_in_batches(
    old: QuerySet[Any],
    *,
    along: str,
    dry_run: bool,
    hook: Hook | None = None,
) -> int:
    """Delete the rows of `old` (or count them), a thousand a transaction; returns how many.

    `old` is ordered by its column `along`: a batch goes on where the last one ended and does not look through what is
    deleted.
    """
    if dry_run:
        return old.count()
    deleted, rest = 0, old
    while batch := _delete_batch(rest, along, hook):
        deleted += batch.size
        rest = old.filter(**{f"{along}__gte": batch.last})
        quiet.rest()
    return deleted


@dataclass(frozen=True, slots=True)
class _Batch:
    size: int
    last: Any


def _delete_batch(old: QuerySet[Any], along: str, hook: Hook | None) -> _Batch | None:
    skip = connection.features.has_select_for_update_skip_locked
    with brief(MAINTENANCE_S):
        locked = old.select_for_update(of=_of(), skip_locked=skip).values_list("pk", flat=True)
        ids = list(locked[:BATCH])
        if not ids:
            return None
        everything = old.model._default_manager.order_by()
        rows = everything.filter(pk__among=ids)
        last = everything.filter(pk=ids[-1]).values_list(along, flat=True).get()
        book = hook(rows) if hook else None
        rows.delete()
        if book:
            book()
    return _Batch(len(ids), last)


def _of() -> tuple[str, ...]:
    return ("self",) if connection.features.has_select_for_update_of else ()


@dataclass(frozen=True, slots=True)
class _Terms:
    """What of a job's history is old: what ended before these times."""

    successes: datetime
    failures: datetime

    @classmethod
    def of(cls, now: datetime, successes_days: int, failures_days: int) -> _Terms:
        return cls(now - timedelta(days=successes_days), now - timedelta(days=failures_days))

    def before(self, state: str) -> datetime:
        return self.failures if state in ALERTING_STATES else self.successes

    def are_over(self, run: JobRun) -> bool:
        return (
            run.state in FINAL_STATES
            and run.finished_at is not None
            and run.finished_at < self.before(run.state)
        )


def _runs(now: datetime, dry_run: bool) -> int:
    """First of the jobs that have terms of their own, then of all others together."""
    site = conf.get()
    own = {
        job.pk: _Terms.of(
            now,
            job.keep_successes_days or site.KEEP_SUCCESSES_DAYS,
            job.keep_failures_days or site.KEEP_FAILURES_DAYS,
        )
        for job in ScheduledJob.objects.exclude(keep_successes_days=None, keep_failures_days=None)
    }
    deleted = sum(_runs_of(job_id, terms, dry_run) for job_id, terms in own.items())
    terms = _Terms.of(now, site.KEEP_SUCCESSES_DAYS, site.KEEP_FAILURES_DAYS)
    for state in FINAL_STATES:  # as the index (state, finished_at) has them
        old = JobRun.objects.filter(state=state, finished_at__lt=terms.before(state))
        deleted += _delete_runs(old.exclude(job_id__in=own), "finished_at", dry_run)
    return deleted


def _runs_of(job_id: str, terms: _Terms, dry_run: bool) -> int:
    """Of one job, by its index (job, id): from its first run on, until a whole batch is too young."""
    runs = JobRun.objects.filter(job_id=job_id).order_by("pk")
    narrow = runs.only("state", "queued_at", "finished_at")
    youngest = max(terms.successes, terms.failures)
    deleted, position = 0, 0
    while part := list(narrow.filter(pk__gt=position)[:BATCH]):
        if all(run.queued_at >= youngest for run in part):
            break
        position = part[-1].pk
        if old := [run.pk for run in part if terms.are_over(run)]:
            deleted += _delete_runs(runs.filter(pk__in=old), "id", dry_run)
    return deleted


def _delete_runs(old: QuerySet[JobRun], along: str, dry_run: bool) -> int:
    told = old.filter(announce_due=False)  # its receivers know of it
    return delete_in_batches(told.order_by(along), along=along, dry_run=dry_run, hook=_count_runs)


def _count_runs(runs: QuerySet[JobRun]) -> Callable[[], None]:
    last = Max(Coalesce("slot_last", "slot"))
    groups = runs.values("job_id", "state", "epoch").annotate(slots=Sum("slot_count"), last=last)
    return partial(_book_runs, [dict(group) for group in groups])


def _book_runs(groups: list[dict[str, Any]]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for group in groups:
        counts[group["job_id"], group["state"]] += group["slots"]
    rows = [
        {"hour": ALL_TIME, "job": job, "state": state, "pruned": count}
        for (job, state), count in counts.items()
    ]
    bulk.add_to(RunTally, rows, keys=("hour", "job", "state"), sums=("pruned",))
    # the totals first, as in an edit, which settles and then closes the epoch
    _move_watermarks(groups)


def _move_watermarks(groups: list[dict[str, Any]]) -> None:
    """Behind its `pruned_until` an epoch promises no rows any more (promise P1)."""
    last: dict[int, datetime] = {}
    for group in groups:
        epoch, slot = group["epoch"], group["last"]
        if epoch and slot:
            last[epoch] = max(last.get(epoch, slot), slot)
    epochs = ScheduleEpoch.objects.select_for_update().filter(pk__in=last).order_by("pk")
    marks = [
        {"id": pk, "pruned_until": max(before or last[pk], last[pk])}
        for pk, before in epochs.values_list("pk", "pruned_until")
    ]
    bulk.update_each(ScheduleEpoch, marks, match=("id",), values=("pruned_until",))


def hours_before(model: type[models.Model], moment: datetime) -> QuerySet[Any]:
    """Hourly rollups from before `moment`; the totals are not among them."""
    hours = model._default_manager.filter(hour__gt=ALL_TIME, hour__lt=moment)
    return hours.order_by("hour")


def _hours(now: datetime, dry_run: bool) -> int:
    moment = now - timedelta(days=conf.get().KEEP_FAILURES_DAYS)
    return sum(
        delete_in_batches(hours_before(model, moment), along="hour", dry_run=dry_run)
        for model in (RunTally, DurationTally)
    )


def _epochs(now: datetime, dry_run: bool) -> int:
    """Spans that ended before anything that is kept. Their slots tell whether rows are left: these are indexed."""
    moment = now - timedelta(days=conf.get().KEEP_FAILURES_DAYS)
    rows = JobRun.objects.filter(
        job_id=OuterRef("job_id"), slot__gt=OuterRef("opened_at"), slot__lte=OuterRef("closed_at")
    )
    closed = ScheduleEpoch.objects.filter(closed_at__lt=moment).exclude(Exists(rows))
    return delete_in_batches(closed.order_by("pk"), along="pk", dry_run=dry_run)


def _nodes(now: datetime, dry_run: bool) -> int:
    ended = Node.objects.exclude(state=NodeState.ALIVE).filter(ended_at__lt=now - NODES_KEPT)
    return delete_in_batches(ended.order_by("pk"), along="pk", dry_run=dry_run)


def _files(now: datetime, dry_run: bool) -> int:
    """All but the newest versions of each job file."""
    sources = SyncedFile.objects.order_by().values_list("source", flat=True).distinct()
    return sum(_files_of(source, dry_run) for source in list(sources))


def _files_of(source: str, dry_run: bool) -> int:
    versions = SyncedFile.objects.filter(source=source)
    newest = versions.order_by("-pk").values_list("pk", flat=True)
    first_too_old = newest[FILES_KEPT : FILES_KEPT + 1].first()
    if first_too_old is None:
        return 0
    return delete_in_batches(
        versions.filter(pk__lte=first_too_old).order_by("pk"), along="pk", dry_run=dry_run
    )


register("runs", _runs)
register("run tallies", _hours)
register("schedule epochs", _epochs)
register("nodes", _nodes)
register("synced files", _files)
