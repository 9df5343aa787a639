from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_app import claims, ledger, metrics, quiet, recount, retention
from scheduler_app.clock import db_now
from scheduler_app.models import (
    DurationTally,
    JobRun,
    LastRun,
    Node,
    RunTally,
    ScheduleEpoch,
    SyncedFile,
)
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.states import RunState, RunTrigger
from tests.factories import make_due, make_job, make_node, start_run

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def ended(job_id: str = "a", state: str = RunState.SUCCESS, days: float = 0, **fields) -> JobRun:
    """A run that ended `days` ago, booked as the ledger books."""
    moment = db_now() - days * DAY
    run = JobRun(
        job_id=job_id,
        state=state,
        trigger=RunTrigger.MANUAL,
        ready_at=moment,
        queued_at=moment,
        finished_at=moment,
        **fields,
    )
    ledger.insert_final([run])
    ledger.announce()
    return run


def totals() -> dict[str, tuple[int, int]]:
    rows = RunTally.objects.filter(hour=ALL_TIME, job="a")
    return {row.state: (row.total, row.pruned) for row in rows}


def prune(**options: Any) -> dict[str, int]:
    return retention.prune(db_now(), **options)


@pytest.fixture
def job():
    return make_job("a")


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)


# runs


def test_failures_are_kept_longer_than_successes(job):
    ended(state=RunState.SUCCESS, days=31)
    kept = [ended(state=RunState.SUCCESS, days=29), ended(state=RunState.FAILED, days=31)]
    ended(state=RunState.LOST, days=181)
    assert prune()["runs"] == 2
    assert {run.pk for run in JobRun.objects.all()} == {run.pk for run in kept}


def test_what_is_deleted_is_booked(job):
    ended(days=31)
    ended(days=1)
    ended(state=RunState.MISSED, days=200, slot_count=7, slot=db_now() - 200 * DAY)
    prune()
    assert totals() == {"SUCCESS": (2, 1), "MISSED": (7, 7)}
    assert recount.differences() == []


def test_figures_stay_after_a_prune(job):
    ended(days=40, duration_ms=5.0)
    ended(state=RunState.FAILED, days=190, duration_ms=7.0)
    before = metrics.exposition(now := db_now())
    assert prune()["runs"] == 2
    assert metrics.exposition(now) == before
    assert LastRun.objects.get(pk="a").state == RunState.FAILED


def test_open_runs_stay_however_old(job):
    run = start_run("a")
    JobRun.objects.filter(pk=run.pk).update(queued_at=db_now() - 999 * DAY, finished_at=None)
    assert prune()["runs"] == 0
    assert JobRun.objects.filter(pk=run.pk).exists()


def test_a_run_that_receivers_do_not_know_of_stays(job):
    run = ended(days=31)
    JobRun.objects.filter(pk=run.pk).update(announce_due=True)
    assert prune()["runs"] == 0


def test_rows_go_in_bounded_transactions(job, small_batches):
    for _ in range(5):
        ended(days=31)
    with CaptureQueriesContext(connection) as captured:
        assert prune()["runs"] == 5
    deletes = [q for q in captured if q["sql"].startswith('DELETE FROM "scheduler_app_jobrun"')]
    assert len(deletes) >= 3
    assert totals() == {"SUCCESS": (5, 5)}


def test_a_batch_that_fails_deletes_and_books_nothing(job, monkeypatch):
    ended(days=31)

    def refuse(self):
        raise RuntimeError

    monkeypatch.setattr("django.db.models.query.QuerySet.delete", refuse)
    with pytest.raises(RuntimeError):
        prune()
    assert (JobRun.objects.count(), totals()) == (1, {"SUCCESS": (1, 0)})


def test_rows_of_one_moment_all_go(job, small_batches):
    moment = db_now() - 31 * DAY
    for _ in range(5):
        ended(days=31)
    JobRun.objects.update(finished_at=moment)
    assert prune()["runs"] == 5


# jobs with terms of their own


@pytest.fixture
def own(job):
    """The job `a` keeps successes for 2 days and failures for 400; `b` is kept as the site says."""
    make_job("b")
    return make_job("a", keep_successes_days=2, keep_failures_days=400)


def test_a_job_may_have_terms_of_its_own(own):
    ended("a", RunState.SUCCESS, days=3)
    ended("b", RunState.FAILED, days=181)
    ended("a", RunState.FAILED, days=401)
    kept = [
        ended("a", RunState.SUCCESS, days=1),
        ended("b", RunState.SUCCESS, days=3),
        ended("a", RunState.FAILED, days=181),
    ]
    assert prune(dry_run=True)["runs"] == 3
    assert prune()["runs"] == 3
    assert {run.pk for run in JobRun.objects.all()} == {run.pk for run in kept}
    assert recount.differences() == []
    assert prune()["runs"] == 0


def test_a_job_that_keeps_successes_longer_keeps_them(job):
    make_job("a", keep_successes_days=90)
    kept = ended("a", days=60)
    ended("a", days=91)
    ended("a", RunState.FAILED, days=179)
    ended("a", RunState.FAILED, days=181)
    assert prune()["runs"] == 2
    assert kept.pk in JobRun.objects.values_list("pk", flat=True)


def test_open_and_untold_runs_of_such_a_job_stay(own):
    run = start_run("a")
    JobRun.objects.filter(pk=run.pk).update(queued_at=db_now() - 999 * DAY)
    untold = ended("a", days=31)
    JobRun.objects.filter(pk=untold.pk).update(announce_due=True)
    assert prune()["runs"] == 0


def test_the_history_of_such_a_job_is_read_up_to_what_is_young_and_deleted_in_batches(
    own, small_batches
):
    for days in (9, 8, 7, 6, 5):
        ended("a", days=days)
    for _ in range(6):
        ended("a", days=0)
    with CaptureQueriesContext(connection) as captured:
        assert prune()["runs"] == 5
    deletes = [q for q in captured if q["sql"].startswith('DELETE FROM "scheduler_app_jobrun"')]
    reads = [q for q in captured if q["sql"].startswith("SELECT") and '"queued_at"' in q["sql"]]
    assert len(deletes) >= 3
    assert len(reads) == 4  # of 2 rows each: up to the first that are too young
    assert totals() == {"SUCCESS": (11, 5)}


def test_epochs_of_such_a_job_know_up_to_which_slot_their_rows_are_gone(own):
    span = epoch(30, None)
    slot = db_now() - 5 * DAY
    ended("a", days=5, epoch=span.pk, slot=slot)
    ended("a", days=1, epoch=span.pk, slot=slot + 4 * DAY)
    prune()
    span.refresh_from_db()
    assert span.pruned_until == slot


# due work goes first


def test_between_two_batches_due_work_is_let_by(job, small_batches, monkeypatch):
    waits = iter([True, True, False] * 10)
    monkeypatch.setattr(quiet, "is_busy", lambda: next(waits))
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for _ in range(4):
        ended(days=31)
    assert prune()["runs"] == 4
    assert slept.count(quiet.LOOK_S) == 4


def test_a_site_that_is_always_busy_is_pruned_all_the_same(job, monkeypatch):
    monkeypatch.setattr(quiet, "is_busy", lambda: True)
    monkeypatch.setattr(quiet, "LONGEST_WAIT_S", 0.05)
    ended(days=31)
    assert prune()["runs"] == 1


def test_busy_means_that_something_waits_and_somebody_is_there_to_start_it(job):
    assert not quiet.is_busy()
    make_due("a", timedelta(seconds=1))
    assert not quiet.is_busy()
    make_node()
    assert quiet.is_busy()
    claims.claim()
    assert quiet.is_busy()
    JobRun.objects.update(held=True)
    assert not quiet.is_busy()


def test_hourly_tallies_go_and_totals_stay(job):
    ended(days=181, duration_ms=5.0)
    ended(days=1, duration_ms=5.0)
    assert prune()["run tallies"] == 2
    assert RunTally.objects.filter(hour=ALL_TIME).get().total == 2
    assert DurationTally.objects.filter(hour=ALL_TIME, kind="duration").get().total == 2


def test_a_second_prune_finds_nothing(job):
    ended(days=31)
    prune()
    assert set(prune().values()) == {0}


# what surrounds runs


def epoch(begin: float, end: float | None) -> ScheduleEpoch:
    return ScheduleEpoch.objects.create(
        job_id="a",
        definition={},
        opened_at=db_now() - begin * DAY,
        closed_at=None if end is None else db_now() - end * DAY,
    )


def test_closed_epochs_go_when_no_row_is_left(job):
    ScheduleEpoch.objects.all().delete()
    empty = epoch(400, 300)
    with_row, young, opened = epoch(290, 200), epoch(100, 50), epoch(600, None)
    run = ended(state=RunState.FAILED, days=10, slot=db_now() - 250 * DAY)
    assert prune()["schedule epochs"] == 1
    assert {*ScheduleEpoch.objects.all()} == {with_row, young, opened}
    assert empty.pk not in ScheduleEpoch.objects.values_list("pk", flat=True)
    assert JobRun.objects.get().pk == run.pk


def test_epoch_knows_up_to_which_slot_its_rows_are_gone(job):
    span = epoch(400, None)
    first, second = (db_now() - days * DAY for days in (60, 40))
    ended(days=60, epoch=span.pk, slot=first)
    ended(state=RunState.MISSED, days=200, epoch=span.pk, slot=first + DAY, slot_last=second)
    ended(days=1, epoch=span.pk, slot=db_now() - DAY)
    prune()
    span.refresh_from_db()
    assert span.pruned_until == second
    ended(days=50, epoch=span.pk, slot=db_now() - 50 * DAY)
    prune()
    span.refresh_from_db()
    assert span.pruned_until == second


def test_nodes_that_ended_a_week_ago_go():
    make_node(state="DEAD", ended_at=db_now() - 8 * DAY)
    kept = {make_node().pk, make_node(state="STOPPED", ended_at=db_now() - 6 * DAY).pk}
    assert prune()["nodes"] == 1
    assert set(Node.objects.values_list("pk", flat=True)) == kept


def test_newest_fifty_versions_of_each_job_file_stay():
    for number in range(53):
        SyncedFile.objects.create(source="one", digest=str(number), synced_at=db_now())
    SyncedFile.objects.create(source="two", digest="x", synced_at=db_now())
    assert prune()["synced files"] == 3
    assert SyncedFile.objects.filter(source="one").order_by("pk")[0].digest == "3"
    assert SyncedFile.objects.filter(source="two").count() == 1


# the command


def test_dry_run_tells_what_would_go_and_deletes_nothing(job, capsys):
    ended(days=31)
    call_command("prune_history", "--dry-run", "--format", "json")
    assert json.loads(capsys.readouterr().out)["runs"] == 1
    assert (JobRun.objects.count(), totals()) == (1, {"SUCCESS": (1, 0)})


def test_command_prunes_and_shows_how_much(job, capsys):
    ended(days=31)
    call_command("prune_history")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("runs")]
    assert line.split() == ["runs", "1"]
    assert not JobRun.objects.exists()
