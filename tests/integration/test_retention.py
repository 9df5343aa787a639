from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts_app import lifecycle
from alerts_app.intake import NewAlert, raise_alert
from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app.models import AlertNotification, ChannelTally, DeliveryAttempt
from notifications_app.rollups import count_attempts
from notifications_app.states import AttemptOutcome, NotificationKind, NotificationState
from scheduler_app import ledger, metrics, recount, retention
from scheduler_app.clock import db_now
from scheduler_app.models import (
    DurationTally,
    JobRun,
    LastRun,
    Node,
    RunTally,
    ScheduledJob,
    ScheduleEpoch,
    SyncedFile,
)
from scheduler_app.models.tallies import ALL_TIME
from scheduler_app.states import FAILED_STATES, FINAL_STATES, RunState, RunTrigger
from tests.factories import make_job, make_node, make_user, start_run

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


# alerts and notifications


def resolved(days: float) -> AlertRecord:
    occurrence = raise_alert(NewAlert(fingerprint=f"f{days}", title="It failed"))
    lifecycle.resolve(occurrence.alert_id, by="olga")
    AlertOccurrence.objects.update(fan_out_due=False)
    AlertRecord.objects.filter(pk=occurrence.alert_id).update(resolved_at=db_now() - days * DAY)
    return occurrence.alert


def told(alert: AlertRecord, days: float, state: str = NotificationState.SENT, **fields):
    """A notification of `alert` that ended `days` ago after a failed and a successful attempt."""
    moment = db_now() - days * DAY
    row = AlertNotification.objects.create(
        alert=alert,
        occurrence=alert.occurrences.last(),
        kind=NotificationKind.FIRE,
        recipient_key=f"key-{AlertNotification.objects.count()}",
        channel="EMAIL",
        severity="ERROR",
        priority=1,
        state=state,
        created_at=moment,
        due_at=moment,
        expires_at=moment + DAY,
        finished_at=moment,
        **fields,
    )
    for outcome in (AttemptOutcome.TRANSIENT, AttemptOutcome.SENT):
        attempt = DeliveryAttempt.objects.create(
            notification=row, channel="EMAIL", number=1, started_at=moment, outcome=outcome
        )
        count_attempts([attempt])
    return row


def channel_totals() -> dict[str, tuple[int, int]]:
    rows = ChannelTally.objects.filter(hour=ALL_TIME, channel="EMAIL")
    return {row.outcome: (row.total, row.pruned) for row in rows}


def test_old_notifications_go_and_their_attempts_are_booked():
    alert = resolved(days=1)
    told(alert, days=91)
    kept = told(alert, days=89)
    before = metrics.exposition(now := db_now())
    assert prune()["notifications"] == 1
    assert list(AlertNotification.objects.all()) == [kept]
    assert channel_totals() == {"SENT": (2, 1), "TRANSIENT": (2, 1)}
    assert (recount.differences(), metrics.exposition(now)) == ([], before)


@pytest.mark.parametrize("state", ["PENDING", "FAILED", "UNKNOWN", "SENDING"])
def test_open_notifications_stay_however_old(state):
    told(resolved(days=999), days=999, state=state)
    assert (prune()["notifications"], AlertRecord.objects.count()) == (0, 1)


def test_a_notification_that_another_waits_for_stays():
    alert = resolved(days=1)
    firing = told(alert, days=91)
    told(alert, days=0, state=NotificationState.PENDING, held_by=firing)
    assert prune()["notifications"] == 0


def test_resolved_alerts_go_with_their_occurrences():
    resolved(days=181)
    kept = resolved(days=179)
    found = prune()
    assert (found["alerts"], found["occurrences"]) == (1, 2)
    assert list(AlertRecord.objects.all()) == [kept]
    assert AlertOccurrence.objects.count() == 2


def test_an_old_alert_goes_with_its_old_notifications_in_one_prune():
    told(resolved(days=181), days=180)
    found = prune()
    assert (found["notifications"], found["alerts"]) == (1, 1)
    assert channel_totals() == {"SENT": (1, 1), "TRANSIENT": (1, 1)}


def test_an_alert_with_a_notification_left_stays():
    told(resolved(days=181), days=10)
    found = prune()
    assert (found["alerts"], found["occurrences"]) == (0, 0)
    assert DeliveryAttempt.objects.count() == 2


def test_an_alert_that_somebody_must_be_told_of_stays():
    resolved(days=181)
    AlertOccurrence.objects.filter(kind="RESOLVE").update(fan_out_due=True)
    assert prune()["alerts"] == 0


def test_open_alerts_stay_however_old():
    occurrence = raise_alert(NewAlert(fingerprint="f", title="It failed"))
    AlertRecord.objects.filter(pk=occurrence.alert_id).update(last_seen_at=db_now() - 999 * DAY)
    assert prune()["alerts"] == 0


def test_a_person_who_left_does_not_keep_notifications():
    user = make_user()
    told(resolved(days=1), days=91, recipient=user)
    user.delete()
    assert prune()["notifications"] == 1


# the command


def test_dry_run_tells_what_would_go_and_deletes_nothing(job, capsys):
    ended(days=31)
    told(resolved(days=1), days=91)
    call_command("prune_history", "--dry-run", "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["notifications"]) == (1, 1)
    assert (JobRun.objects.count(), AlertNotification.objects.count()) == (1, 1)


def test_command_prunes_and_shows_how_much(job, capsys):
    ended(days=31)
    call_command("prune_history")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("runs")]
    assert line.split() == ["runs", "1"]
    assert not JobRun.objects.exists()


# P6

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("end"), st.sampled_from([*FINAL_STATES]), st.sampled_from([0, 20, 100, 200])
        ),
        st.tuples(st.just("prune"), st.just(""), st.just(0)),
    ),
    max_size=12,
)


def end_twice(job_id: str, state: str, days: int) -> None:
    """A result that the writer hands over two times, as after an unclear commit."""
    run = start_run(job_id)
    result = ledger.RunResult(
        run_id=run.pk,
        token=run.token,
        state=RunState(state),
        finished_at=db_now() - days * DAY,
        duration_ms=3.0,
    )
    ledger.finish([result, result])
    ledger.finish([result])


def shown(now: datetime) -> dict[str, int]:
    (found,) = metrics.snapshot(now)["jobs"]
    names = ("success_count", "failure_count", "missed_count", "skipped_count")
    return {name: found[name] for name in names}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_figures_equal_rows_and_pruned_whatever_happens(db, steps):
    for model in (JobRun, RunTally, DurationTally, LastRun, ScheduledJob):
        model.objects.all().delete()
    make_job("a")
    ends = [state for verb, state, _ in steps if verb == "end"]
    for verb, state, days in steps:
        if verb == "prune":
            prune()
        else:
            end_twice("a", state, days)
    assert recount.differences() == []
    assert shown(db_now()) == {
        "success_count": ends.count(RunState.SUCCESS),
        "failure_count": sum(state in FAILED_STATES for state in ends),
        "missed_count": ends.count(RunState.MISSED),
        "skipped_count": ends.count(RunState.SKIPPED),
    }
