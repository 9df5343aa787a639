"""The database's clock was ahead for a moment and is right again: jobs, retries, leases and messages go on (B1)."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from alerts_app.models import AlertRecord
from notifications_app import outbox
from notifications_app.models import AlertNotification, LaneState
from scheduler_app import claims, future_times, ledger, mirror, nodes, slots, verify_live
from scheduler_app import clock as database_clock
from scheduler_app.assignments import RunResult
from scheduler_app.clock_watch import ClockWatch
from scheduler_app.heart import Heart
from scheduler_app.jobfile import parse
from scheduler_app.models import JobRun, Node, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.signals import clock_set_back
from scheduler_app.states import NodeKind, NodeState, RunState
from tests.factories import (
    SOURCE,
    declaration,
    make_job,
    make_node,
    make_notification,
    make_user,
    sync,
)
from tests.ledger import assert_figures_true, assert_whole

pytestmark = pytest.mark.django_db

AHEAD = timedelta(hours=8)
MINUTE = timedelta(minutes=1)


class Clock:
    """The database's clock, which a test sets: every module asks it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 12, 1, 10, 0, 30, tzinfo=UTC)
        self._patch = monkeypatch

    def install(self) -> None:
        real = database_clock.db_now
        for module in [one for one in sys.modules.values() if vars(one).get("db_now") is real]:
            self._patch.setattr(module, "db_now", lambda: self.now)
        if connection.vendor == "postgresql":
            self._patch.setattr("scheduler_app.transactions._limited", lambda _seconds: self.now)

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)

    def be_ahead(self, by: timedelta = AHEAD) -> None:
        """For forty seconds, in which what looks due is claimed and run each second."""
        self.now += by
        work(self, seconds=40)
        self.now -= by


@pytest.fixture
def clock(monkeypatch):
    one = Clock(monkeypatch)
    one.install()
    return one


def work(clock: Clock, *, seconds: float, step_s: float = 1.0) -> None:
    """A scheduler does its work for so long."""
    node = make_node()
    end = clock.now + timedelta(seconds=seconds)
    while clock.now < end:
        clock.go(seconds=step_s)
        while claims.claim().more:
            pass
        while tasks := claims.take(node.pk, f"t{clock.now.timestamp()}"[:32], 500):
            ledger.finish([success(task, clock.now) for task in tasks])
    nodes.retire(node.pk)


def success(task, now) -> RunResult:
    return RunResult(
        run_id=task.run_id,
        token=task.token,
        state=RunState.SUCCESS,
        started_at=now,
        finished_at=now,
        duration_ms=1.0,
    )


def cursor(job_id: str) -> datetime | None:
    return Timetable.objects.get(pk=job_id).next_run_time


def starts(job_id: str) -> list[datetime]:
    runs = JobRun.objects.filter(job=job_id, state="SUCCESS", slot__isnull=False)
    return list(runs.order_by("slot").values_list("slot", flat=True))


def resync(*job_ids: str) -> mirror.SyncReport:
    jobs = ScheduledJob.objects.filter(source=SOURCE)
    return sync(*[declaration(job.pk, **job.file_values) for job in jobs])


@pytest.mark.parametrize(
    "fields",
    [
        {"cron": "* * * * *"},
        {"cron": "every 20 s"},
        {"cron": "* * * * *", "on_missed": "skip"},
        {"cron": "* * * * *", "on_missed": "all", "max_catch_up": 5},
        {"cron": "every 15 s", "grace_s": 1},
        {"cron": "* * * * *", "jitter_s": 20},
    ],
)
def test_job_that_a_clock_put_off_for_hours_is_found_and_one_sync_puts_it_right(clock, fields):
    make_job("a", overlap="parallel", **fields)
    work(clock, seconds=200)
    clock.be_ahead()
    before = JobRun.objects.count()
    work(clock, seconds=120)
    assert JobRun.objects.count() == before  # nothing runs
    (late,) = future_times.find(clock.now)
    assert late.job_id == "a"
    assert late.stored - late.expected > timedelta(hours=7)
    assert resync().late == ["a"]
    assert future_times.find(clock.now) == []
    assert resync().late == []
    assert_whole()
    done = len(starts("a"))
    work(clock, seconds=300)
    assert len(starts("a")) >= done + 4
    assert_whole()
    assert_figures_true()
    lines = list(slots.read("a", clock.now - timedelta(days=1), clock.now + timedelta(days=1)))
    assert not [line for line in lines if line.is_wrong]


def test_slot_that_was_run_too_early_is_not_run_again_when_it_comes(clock):
    make_job("a", cron="* * * * *", overlap="parallel")
    work(clock, seconds=90)
    clock.be_ahead(timedelta(hours=1))
    early = [slot for slot in starts("a") if slot > clock.now]
    assert early
    resync()
    work(clock, seconds=3900, step_s=30)
    assert len(starts("a")) == len(set(starts("a")))
    assert {slot: starts("a").count(slot) for slot in early} == dict.fromkeys(early, 1)
    assert_whole()
    assert_figures_true()
    lines = list(slots.read("a", clock.now - timedelta(days=1), clock.now + timedelta(days=1)))
    assert not [line for line in lines if line.is_wrong]


def test_daily_job_that_ran_early_keeps_its_next_slot(clock):
    """Its slot of tomorrow has a run: to go back would run it twice."""
    make_job("daily", cron="0 18 * * *", on_missed="latest")
    clock.be_ahead()
    assert cursor("daily") == datetime(2026, 12, 2, 18, tzinfo=UTC)
    assert starts("daily") == [datetime(2026, 12, 1, 18, tzinfo=UTC)]
    assert future_times.find(clock.now) == []
    assert resync().late == []
    assert_whole_days("daily", clock)


def test_daily_job_whose_slot_was_written_off_too_early_runs_in_time(clock):
    make_job("daily", cron="30 17 * * *", on_missed="skip")
    clock.be_ahead()
    assert starts("daily") == []
    assert resync().late == ["daily"]
    clock.now = datetime(2026, 12, 1, 17, 29, 30, tzinfo=UTC)
    work(clock, seconds=60)
    assert starts("daily") == [datetime(2026, 12, 1, 17, 30, tzinfo=UTC)]
    assert JobRun.objects.get(state="MISSED").slot is None
    assert_figures_true()
    assert_whole_days("daily", clock)


def assert_whole_days(job_id: str, clock: Clock) -> None:
    lines = list(slots.read(job_id, clock.now - timedelta(days=2), clock.now + timedelta(days=2)))
    assert not [line for line in lines if line.is_wrong]


def test_cursor_that_points_nowhere_goes_back_to_the_first_slot_without_a_row(clock):
    """The slots between are caught up or written off as the job wants it."""
    make_job("a", cron="* * * * *", overlap="parallel")
    work(clock, seconds=150)
    Timetable.objects.update(next_run_time=clock.now + timedelta(days=3))
    last = max(starts("a"))
    clock.go(seconds=600)
    assert resync().late == ["a"]
    assert cursor("a") == last + MINUTE
    work(clock, seconds=60)
    assert_whole()
    missed = JobRun.objects.get(state="MISSED")
    assert missed.slot == last + MINUTE
    assert missed.slot_count > 5


def test_job_that_was_changed_while_the_clock_was_ahead_begins_now(clock):
    make_job("a", cron="* * * * *", overlap="parallel")
    clock.now += AHEAD
    make_job("b", cron="every 30 s", overlap="parallel")
    mirror.edit("a", {"cron": "*/2 * * * *"}, by="olga")
    clock.now -= AHEAD
    assert [one.job_id for one in future_times.find(clock.now)] == ["a", "b"]
    assert resync().late == ["a", "b"]
    work(clock, seconds=300)
    assert len(starts("a")) >= 2
    assert len(starts("b")) >= 9
    assert not ScheduleEpoch.objects.filter(opened_at__gt=clock.now).exists()


def test_job_that_is_changed_or_switched_off_before_the_sync_leaves_a_whole_ledger(clock):
    make_job("a", cron="* * * * *", overlap="parallel")
    make_job("b", cron="* * * * *", overlap="parallel")
    work(clock, seconds=90)
    clock.be_ahead()
    clock.go(seconds=200)
    mirror.set_enabled("a", False, by="olga")
    mirror.edit("b", {"cron": "every 30 s"}, by="olga")
    assert_whole()
    work(clock, seconds=120)
    assert_whole()
    assert_figures_true()
    mirror.set_enabled("a", True, by="olga")
    work(clock, seconds=120)
    assert_whole()


@pytest.mark.parametrize(
    "fields",
    [
        {"cron": "* * * * *"},
        {"cron": "*/5 * * * *", "jitter_s": 200},
        {"cron": "0 2 * * *"},
        {"cron": "every 7 d"},
        {"cron": "0 0 1 1 *"},
        {"cron": "at 2027-05-01T10:00"},
        {"cron": "at 2020-05-01T10:00"},
        {"cron": "* * * * *", "blackouts": ["09:00-23:00"]},
        {"cron": "* * * * *", "calendar": "CN"},
        {"cron": "0 3 * * *", "timezone": "Asia/Shanghai", "on_missed": "all"},
        {"cron": "* * * * *", "enabled": False},
    ],
)
def test_job_that_is_right_is_no_finding_at_any_time(clock, fields):
    make_job("a", overlap="parallel", **fields)
    for _ in range(30):
        assert future_times.find(clock.now) == []
        work(clock, seconds=75, step_s=25)
    assert resync().late == []


def test_resting_slots_grow_on_after_the_repair(clock):
    make_job("a", cron="* * * * *", blackouts=["00:00-23:59"])
    work(clock, seconds=200)
    clock.be_ahead()
    assert resync().late == ["a"]
    work(clock, seconds=300)
    assert_whole_days("a", clock)
    kept = JobRun.objects.get(state="SKIPPED", epoch__isnull=False)
    assert kept.slot_count >= 7
    assert_figures_true()


def test_watch_tells_within_a_round_and_alert_ends_with_the_repair(clock, caplog):
    make_user("admin")
    for number in range(250):
        make_job_quickly(f"job{number:03}")
    watch = ClockWatch()
    for _ in range(5):
        clock.go(seconds=2)
        watch.look()
    assert "cursors_too_late" not in caplog.messages
    clock.now += AHEAD
    watch.look()
    while claims.claim().more:
        pass
    clock.now -= AHEAD - timedelta(seconds=40)
    for _ in range(20):  # a minute is thirty heartbeats
        clock.go(seconds=2)
        watch.look()
    assert caplog.messages.count("cursors_too_late") == 1
    alert = AlertRecord.objects.get(fingerprint="scheduler:late-cursors")
    assert (alert.state, alert.occurrence_count) == ("OPEN", 1)
    assert "250 jobs" in alert.title
    assert "sync_jobs" in alert.body
    future_times.mend(future_times.find(clock.now), clock.now)
    for _ in range(20):
        clock.go(seconds=2)
        watch.look()
    alert.refresh_from_db()
    assert alert.state == "RESOLVED"


def make_job_quickly(job_id: str) -> None:
    mirror._create(
        parse(SOURCE, [declaration(job_id, cron="* * * * *")], {}).jobs[0],
        SOURCE,
        database_clock.db_now(),
    )


def test_look_costs_few_queries_however_many_jobs_there_are(clock, django_assert_max_num_queries):
    for number in range(300):
        make_job_quickly(f"job{number:03}")
    watch = ClockWatch()
    for _ in range(8):
        clock.go(seconds=2)
        with django_assert_max_num_queries(7):
            watch.look()


def test_late_cursor_is_a_finding_whose_hint_names_the_command(clock):
    make_job("a", cron="* * * * *")
    Timetable.objects.update(next_run_time=clock.now + AHEAD)
    file = parse(SOURCE, [declaration("a", cron="* * * * *")], {})
    found = [
        one for one in verify_live.findings(verify_live.look(file, clock.now)) if one.job == "a"
    ]
    assert [one.kind for one in found] == ["timetable"]
    assert "sync_jobs" in found[0].hint
    assert "2026-12-01 18:00:30" in found[0].text


def test_command_says_what_it_put_right(clock, monkeypatch, capsys):
    make_job("a", cron="* * * * *")
    Timetable.objects.update(next_run_time=clock.now + AHEAD)
    file = parse(SOURCE, [declaration("a", cron="* * * * *")], {})
    monkeypatch.setattr("scheduler_app.jobfile.load", lambda _name: file)
    with pytest.raises(SystemExit):
        call_command("sync_jobs", "--check")
    assert "next slot too late" in capsys.readouterr().out
    call_command("sync_jobs")
    assert "next slot too late" in capsys.readouterr().out
    assert future_times.find(clock.now) == []


def test_retry_and_run_by_hand_of_the_wrong_time_wait_from_now_on(clock):
    make_job("a", cron="* * * * *", max_retries=2, retry_backoff_s=60, overlap="parallel")
    job = ScheduledJob.objects.get(pk="a")
    clock.now += AHEAD
    claims.request_run(job)
    (task,) = claims.take(make_node().pk, "t", 1)
    failed = RunResult(
        run_id=task.run_id,
        token="t",
        state=RunState.FAILED,
        started_at=clock.now,
        finished_at=clock.now,
        duration_ms=1.0,
        may_retry=True,
    )
    ledger.finish([failed])
    claims.request_run(job)
    clock.now -= AHEAD
    assert future_times.hasten_runs(clock.now) == 2
    waits = [run.ready_at - clock.now for run in JobRun.objects.queued().order_by("ready_at")]
    assert waits[0] == timedelta(0)
    assert timedelta(seconds=20) < waits[1] < timedelta(minutes=3)
    assert future_times.hasten_runs(clock.now) == 0


def test_node_that_died_while_the_clock_was_ahead_is_reaped_a_lease_later(clock):
    clock.now += AHEAD
    dead = make_node()
    clock.now -= AHEAD
    clock.go(seconds=60)
    nodes.reap()
    assert Node.objects.get(pk=dead.pk).state == NodeState.ALIVE
    clock.go(seconds=20)
    nodes.reap()
    assert Node.objects.get(pk=dead.pk).state == NodeState.DEAD


def test_node_judges_no_other_for_a_lease_after_the_clock_was_set(clock, monkeypatch):
    """Every other lease looks eight hours old to the first that beats after the step."""
    boot = [1000.0]
    monkeypatch.setattr("scheduler_app.clock.since_boot_s", lambda: boot[0])
    told: list[datetime] = []
    clock_set_back.connect(lambda now: told.append(now), name="test")
    heart = Heart(NodeKind.SCHEDULER, lease_s=15, beat_s=2, slots=1)
    try:
        for step in (timedelta(0), AHEAD, -AHEAD):
            for _ in range(10):
                boot[0] += 2
                clock.go(seconds=2)
                heart.renew()
            assert heart.is_steady()
            clock.now += step
            boot[0] += 2
            clock.go(seconds=2)
            heart.renew()
            assert heart.is_steady() is (not step)
    finally:
        clock_set_back.disconnect("test")
    assert len(told) == 1


def test_messages_leases_and_pauses_of_the_wrong_time_go_on(clock):
    later = clock.now + AHEAD
    retried = make_notification("EMAIL", due_at=later, state="FAILED")
    held = make_notification("EMAIL", state="SENDING", lease_until=later)
    LaneState.objects.create(channel="EMAIL", paused_until=later, spent_until=later, openings=1)
    clock_set_back.send(now=clock.now)
    retried.refresh_from_db()
    held.refresh_from_db()
    lane = LaneState.objects.get()
    assert retried.due_at == lane.paused_until == lane.spent_until == clock.now
    assert held.lease_until is not None
    assert held.lease_until < clock.now + timedelta(minutes=5)
    clock.go(seconds=3600)
    assert outbox.sweep() == 1
    assert AlertNotification.objects.get(pk=held.pk).state == "PENDING"
