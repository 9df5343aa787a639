"""Old rows go in bounded batches; what goes is booked, so that every figure stays true (promise P6).

Open rows stay. Failures are kept longer than successes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import Exists, OuterRef, QuerySet

from scheduler_app import bulk, conf
from scheduler_app.models import DurationTally, JobRun, Node, RunTally, ScheduleEpoch, SyncedFile
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.states import ALERTING_STATES, FINAL_STATES, NodeState
from scheduler_app.transactions import brief

Pruner = Callable[[datetime, bool], int]
"""`pruner(now, dry_run)` deletes what is too old (or counts it) and returns how many rows that is."""

BATCH = 1000
"""Rows a transaction."""
SQLITE_PAUSE_S = 0.002
NODES_KEPT = timedelta(days=7)
FILES_KEPT = 50

_pruners: dict[str, Pruner] = {}


def register(name: str, pruner: Pruner) -> None:
    """Let an app prune tables of its own; `name` is what the report calls them."""
    _pruners[name] = pruner


def prune(now: datetime, *, dry_run: bool = False) -> dict[str, int]:
    """Rows deleted (or to be deleted) by name, in the order in which the apps registered."""
    return {name: pruner(now, dry_run) for name, pruner in _pruners.items()}


def delete_in_batches(
    old: QuerySet[Any],
    *,
    dry_run: bool,
    before: Callable[[list[Any]], None] | None = None,
) -> int:
    """Delete the rows of `old` (or count them), a thousand a transaction; returns how many.

    `before(rows)` is called with the locked rows of a batch in the transaction that deletes them: it books them, and
    deletes what hangs on them.
    """
    if dry_run:
        return old.count()
    deleted = 0
    while batch := _delete_batch(old, before):
        deleted += batch
        if connection.vendor == "sqlite":
            time.sleep(SQLITE_PAUSE_S)  # lets other writers begin their transaction
    return deleted


def _delete_batch(old: QuerySet[Any], before: Callable[[list[Any]], None] | None) -> int:
    skip = connection.features.has_select_for_update_skip_locked
    with brief():
        rows = list(old.select_for_update(of=_of(), skip_locked=skip)[:BATCH])
        if rows and before:
            before(rows)
        old.model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _of() -> tuple[str, ...]:
    return ("self",) if connection.features.has_select_for_update_of else ()


def _runs(now: datetime, dry_run: bool) -> int:
    return sum(delete_in_batches(old, dry_run=dry_run, before=_book_runs) for old in _old_runs(now))


def _old_runs(now: datetime) -> Iterator[QuerySet[JobRun]]:
    """What is too old, by state, as its index (state, finished_at) has it."""
    for state in FINAL_STATES:
        failed = state in ALERTING_STATES
        days = conf.get().KEEP_FAILURES_DAYS if failed else conf.get().KEEP_SUCCESSES_DAYS
        old = JobRun.objects.filter(state=state, finished_at__lt=now - timedelta(days=days))
        told = old.filter(announce_due=False)  # its receivers know of it
        columns = ("job_id", "state", "slot_count", "epoch", "slot", "slot_last")
        yield told.only(*columns).order_by("finished_at")


def _book_runs(runs: list[JobRun]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for run in runs:
        counts[run.job_id, run.state] += run.slot_count
    rows = [
        {"hour": ALL_TIME, "job": job, "state": state, "pruned": count}
        for (job, state), count in counts.items()
    ]
    bulk.add_to(RunTally, rows, keys=("hour", "job", "state"), sums=("pruned",))
    _move_watermarks(runs)


def _move_watermarks(runs: list[JobRun]) -> None:
    """Behind its `pruned_until` an epoch promises no rows any more (promise P1)."""
    last: dict[int, datetime] = {}
    for run in runs:
        if run.epoch and run.slot:
            slot = run.slot_last or run.slot
            last[run.epoch] = max(last.get(run.epoch, slot), slot)
    epochs = ScheduleEpoch.objects.select_for_update().filter(pk__in=last).order_by("pk")
    marks = [
        {"id": pk, "pruned_until": max(before or last[pk], last[pk])}
        for pk, before in epochs.values_list("pk", "pruned_until")
    ]
    bulk.update_each(ScheduleEpoch, marks, match=("id",), values=("pruned_until",))


def hours_before(model: type[models.Model], moment: datetime) -> QuerySet[Any]:
    """Hourly rollups from before `moment`; the totals are not among them."""
    hours = model._default_manager.filter(hour__gt=ALL_TIME, hour__lt=moment)
    return hours.only("pk").order_by("hour")


def _hours(now: datetime, dry_run: bool) -> int:
    moment = now - timedelta(days=conf.get().KEEP_FAILURES_DAYS)
    return sum(
        delete_in_batches(hours_before(model, moment), dry_run=dry_run)
        for model in (RunTally, DurationTally)
    )


def _epochs(now: datetime, dry_run: bool) -> int:
    """Spans that ended before anything that is kept. Their slots tell whether rows are left: these are indexed."""
    moment = now - timedelta(days=conf.get().KEEP_FAILURES_DAYS)
    rows = JobRun.objects.filter(
        job_id=OuterRef("job_id"), slot__gt=OuterRef("opened_at"), slot__lte=OuterRef("closed_at")
    )
    closed = ScheduleEpoch.objects.filter(closed_at__lt=moment).exclude(Exists(rows))
    return delete_in_batches(closed.only("pk").order_by("pk"), dry_run=dry_run)


def _nodes(now: datetime, dry_run: bool) -> int:
    ended = Node.objects.exclude(state=NodeState.ALIVE).filter(ended_at__lt=now - NODES_KEPT)
    return delete_in_batches(ended.only("pk").order_by("pk"), dry_run=dry_run)


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
    return delete_in_batches(versions.filter(pk__lte=first_too_old).order_by("pk"), dry_run=dry_run)


register("runs", _runs)
register("run tallies", _hours)
register("schedule epochs", _epochs)
register("nodes", _nodes)
register("synced files", _files)
