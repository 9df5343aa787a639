"""The slots of a job as the ledger answers for them, held against an enumeration of their own."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from scheduler_app import claims, ledger, mirror, slots
from scheduler_app.clock import db_now
from scheduler_app.errors import UnknownJobError
from scheduler_app.ledger import RunResult
from scheduler_app.models import JobRun, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import Reason, RunState, RunTrigger, SlotState
from tests.factories import make_due, make_job, make_node

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
BEGIN = datetime(2026, 3, 1, 9, 58, 30, tzinfo=UTC)
FOR_EVER = datetime(2100, 1, 1, tzinfo=UTC)
Match = Callable[[datetime], bool]

TIMETABLES: dict[tuple[str, str], Match | timedelta] = {
    ("every 40 s", "UTC"): timedelta(seconds=40),
    ("every 7 min", "UTC"): timedelta(minutes=7),
    ("* * * * *", "Asia/Shanghai"): lambda at: True,
    ("*/5 * * * *", "UTC"): lambda at: at.minute % 5 == 0,
    ("13,41 * * * *", "Asia/Kolkata"): lambda at: at.minute in (13, 41),
    ("30 2 * * *", "Asia/Shanghai"): lambda at: (at.hour, at.minute) == (2, 30),
}


@dataclass
class History:
    """A job whose life the test writes down for itself, under a clock that the test turns."""

    random: random.Random
    now: datetime = BEGIN
    spans: list[list] = field(default_factory=list)
    """[timetable, opened, closed or None]"""

    def begin(self) -> None:
        cron, zone = timetable = self.random.choice(list(TIMETABLES))
        make_job("a", cron=cron, timezone=zone, on_missed="all", max_catch_up=3, max_retries=1)
        self.spans.append([timetable, self.now, None])

    def close(self) -> None:
        if self.spans and self.spans[-1][2] is None:
            self.spans[-1][2] = self.now

    def pass_time(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            self.now += timedelta(seconds=self.random.choice((1, 30, 61, 400, 9000, 40_000)))
            if self.random.random() < 0.8:
                claims.claim()

    def rest(self) -> None:
        """Hours in which the job does not run are slots all the same."""
        windows = self.random.choice(([], ["22:00-06:00"], ["09:00-12:00", "Sun"]))
        if ScheduledJob.objects.get().blackouts == windows:
            return
        mirror.edit("a", {"blackouts": windows}, by="olga")
        if self.spans[-1][2] is None:
            timetable = self.spans[-1][0]
            self.close()
            self.spans.append([timetable, self.now, None])

    def edit(self) -> None:
        cron, zone = timetable = self.random.choice(list(TIMETABLES))
        job = ScheduledJob.objects.get()
        if (job.cron, job.timezone) == timetable:
            return
        mirror.edit("a", {"cron": cron, "timezone": zone}, by="olga")
        if job.enabled:
            self.close()
            self.spans.append([timetable, self.now, None])

    def switch(self) -> None:
        job = ScheduledJob.objects.get()
        mirror.set_enabled("a", not job.enabled, by="olga")
        self.close()
        if not job.enabled:
            self.spans.append([(job.cron, job.timezone), self.now, None])

    def work(self) -> None:
        node = make_node().pk
        for number in range(self.random.randrange(3)):
            for run in claims.take(node, f"t{self.now}{number}", 5):
                state = self.random.choice((RunState.SUCCESS, RunState.FAILED))
                ledger.finish([result(run, state, self.now)])

    def slots(self) -> list[datetime]:
        found = []
        for timetable, opened, closed in self.spans:
            found += list(enumerate_slots(timetable, opened, closed or self.now))
        return found


def enumerate_slots(timetable, after, until):
    rule = TIMETABLES[timetable]
    if isinstance(rule, timedelta):
        at, step = after + rule, rule
    else:
        at, step = after.replace(second=0, microsecond=0) + MINUTE, MINUTE
    while at <= until:
        if isinstance(rule, timedelta) or rule(at.astimezone(ZoneInfo(timetable[1]))):
            yield at
        at += step


def result(run, state, now):
    return RunResult(
        run_id=run.run_id,
        token=run.token,
        state=state,
        started_at=now,
        finished_at=now,
        duration_ms=1.0,
    )


def expected_state(slot: datetime, settled: datetime) -> str:
    """By looking through all rows, as slowly as one likes."""
    rows = [
        row
        for row in JobRun.objects.filter(slot__isnull=False).order_by("attempt")
        if row.slot <= slot <= (row.slot_last or row.slot)
    ]
    if rows:
        return rows[-1].state
    return SlotState.MISSING if slot < settled else SlotState.DUE


def assert_true_to(history: History, since: datetime, until: datetime) -> list[slots.SlotLine]:
    lines = list(slots.read("a", since, until))
    for line, following in pairwise(lines):
        assert line.first <= line.last < following.first
    known = history.slots()
    inside = [slot for slot in known if since <= slot < until]
    covered = {}
    for line in lines:
        own = [slot for slot in known if line.first <= slot <= line.last]
        assert (own[0], own[-1], len(own)) == (line.first, line.last, line.count)
        covered.update(dict.fromkeys(own, line.state))
    assert set(inside) <= covered.keys()
    assert all(line.last >= since and line.first < until for line in lines)
    row = Timetable.objects.get()
    settled = row.next_run_time or FOR_EVER
    for slot in random.Random(1).sample(inside, min(len(inside), 40)):
        assert covered[slot] == expected_state(slot, settled)
    return lines


@pytest.fixture
def history(monkeypatch, request):
    """A clock that the test turns, for everybody who asks for the time."""
    told = History(random.Random(request.param))
    for module in (claims, ledger, mirror, slots, make_node.__globals__["nodes"]):
        monkeypatch.setattr(module, "db_now", lambda: told.now)
    return told


@pytest.mark.parametrize("history", [*range(12), random.randrange(10**6)], indirect=True)
def test_every_slot_is_told_once_whatever_happened(history, monkeypatch):
    monkeypatch.setattr(slots, "CHUNK", 3)
    history.begin()
    for _ in range(12):
        act = history.random.choice((history.edit, history.switch, history.rest, history.work))
        history.pass_time()
        act()
    history.pass_time()
    lines = assert_true_to(history, BEGIN, history.now + SECOND)
    assert not any(line.is_wrong for line in lines)
    for _ in range(4):
        begin = BEGIN + history.random.random() * (history.now - BEGIN)
        assert_true_to(history, begin, begin + timedelta(hours=history.random.random() * 9))
    runs = list(JobRun.objects.filter(attempt=1))  # none, where the job was off from the beginning
    gone = history.random.sample(runs, min(2, len(runs)))
    JobRun.objects.filter(job="a", slot__in=[run.slot for run in gone]).delete()
    lines = assert_true_to(history, BEGIN, history.now + SECOND)
    assert sum(line.count for line in lines if line.is_wrong) == sum(r.slot_count for r in gone)


def put(slot, state=RunState.SUCCESS, **fields):
    """A row of the job `a`, as the ledger would have it."""
    span = ScheduleEpoch.objects.latest("pk")
    times = {"ready_at": slot, "queued_at": slot, "started_at": slot}
    values = {"epoch": span.pk, "trigger": RunTrigger.SCHEDULE, **times, **fields}
    return JobRun.objects.create(job_id="a", slot=slot, state=state, **values)


@pytest.fixture
def minutely():
    """A minutely job since two days ago whose cursor stands at the next minute; returns the minute before it."""
    make_job("a", cron="* * * * *")
    last = db_now().replace(second=0, microsecond=0)
    ScheduleEpoch.objects.update(opened_at=last - timedelta(days=2))
    Timetable.objects.update(next_run_time=last + MINUTE)
    return last


def told(since, until):
    return [(line.first, line.count, line.state) for line in slots.read("a", since, until)]


def test_slots_behind_the_watermark_are_pruned_and_kept_rows_among_them_are_shown(minutely):
    ScheduleEpoch.objects.update(pruned_until=minutely - 3 * MINUTE)
    put(minutely - 7 * MINUTE, RunState.FAILED)
    for number in range(3):
        put(minutely - number * MINUTE)
    assert told(minutely - 9 * MINUTE, minutely + MINUTE) == [
        (minutely - 9 * MINUTE, 2, "PRUNED"),
        (minutely - 7 * MINUTE, 1, "FAILED"),
        (minutely - 6 * MINUTE, 4, "PRUNED"),
        (minutely - 2 * MINUTE, 1, "SUCCESS"),
        (minutely - MINUTE, 1, "SUCCESS"),
        (minutely, 1, "SUCCESS"),
    ]


def test_rows_pruned_while_they_are_read_are_not_missing(minutely, monkeypatch):
    put(minutely)
    reading = slots.read("a", minutely - 5 * MINUTE, minutely + MINUTE)
    ScheduleEpoch.objects.update(pruned_until=minutely - MINUTE)
    assert [line.state for line in reading] == ["PRUNED", "SUCCESS"]


def test_an_epoch_that_goes_with_its_last_rows_is_pruned(minutely):
    reading = slots.read("a", minutely - 5 * MINUTE, minutely + MINUTE)
    ScheduleEpoch.objects.all().delete()
    assert [(line.state, line.count) for line in reading] == [("PRUNED", 6)]


def test_a_range_is_one_line_and_is_told_whole_at_the_edge(minutely):
    first = minutely - 9 * MINUTE
    put(first, RunState.MISSED, slot_last=minutely, slot_count=10, reason=Reason.GRACE)
    for since in (first, minutely - 4 * MINUTE, minutely):
        assert told(since, minutely + MINUTE) == [(first, 10, "MISSED")]


def test_retries_are_one_line_with_the_last_state_and_the_first_lag(minutely):
    put(minutely, RunState.FAILED, started_at=minutely + 2 * SECOND)
    again = put(minutely, RunState.QUEUED, attempt=2, started_at=None, trigger=RunTrigger.RETRY)
    (line,) = slots.read("a", minutely, minutely + MINUTE)
    assert (line.state, line.run_id, line.attempts, line.lag_ms) == ("QUEUED", again.pk, 1, 2000.0)


def test_a_row_for_no_slot_and_a_range_that_counts_wrongly_are_wrong(minutely):
    put(minutely - 5 * MINUTE)
    put(minutely - 5 * MINUTE + SECOND)
    put(minutely - 4 * MINUTE, RunState.MISSED, slot_last=minutely, slot_count=7)
    lines = list(slots.read("a", minutely - 5 * MINUTE, minutely + MINUTE))
    assert [line.is_expected for line in lines] == [True, False, False]
    assert all(line.is_wrong for line in lines[1:])


def test_a_row_while_the_job_was_off_is_wrong(minutely):
    ScheduleEpoch.objects.update(closed_at=minutely - 2 * MINUTE)
    put(minutely - 2 * MINUTE)
    put(minutely)
    lines = list(slots.read("a", minutely - 2 * MINUTE, minutely + MINUTE))
    assert [line.is_wrong for line in lines] == [False, True]


def test_slots_that_nobody_has_looked_at_yet_are_due(minutely):
    put(minutely - 3 * MINUTE)
    Timetable.objects.update(next_run_time=minutely - 2 * MINUTE)
    assert told(minutely - 3 * MINUTE, FOR_EVER)[1:] == [(minutely - 2 * MINUTE, 3, "DUE")]


def test_after_a_schedule_broke_nothing_is_expected():
    make_job("a", cron="* * * * *")
    slot = make_due("a").replace(second=0)
    ScheduleEpoch.objects.update(opened_at=slot - MINUTE)
    Timetable.objects.update(next_run_time=slot)
    good = ScheduleEpoch.objects.get().definition
    ScheduleEpoch.objects.update(definition={"cron": "rubbish"})
    claims.claim()
    assert told(slot, FOR_EVER) == [(slot, 1, "FAILED")]
    ScheduleEpoch.objects.update(definition=good, closed_at=slot + 9 * MINUTE)
    assert told(slot, FOR_EVER) == [(slot, 1, "FAILED")]


def test_a_one_off_job_has_one_slot():
    at = db_now().replace(microsecond=0) + timedelta(days=1)
    make_job("a", cron=f"at {at.isoformat()}")
    assert [line.first for line in slots.upcoming("a", 5)] == [at]
    ScheduleEpoch.objects.update(opened_at=at - timedelta(days=9))
    assert told(at - timedelta(days=8), FOR_EVER) == []


def test_a_job_without_slots_and_an_unknown_job():
    make_job("a", enabled=False)
    assert told(BEGIN, FOR_EVER) == []
    assert slots.upcoming("a", 3) == []
    with pytest.raises(UnknownJobError):
        slots.read("ghost", BEGIN, FOR_EVER)


def test_upcoming_slots_in_which_a_job_rests_say_why():
    make_job("a", cron="0 0,12 * * *", timezone="UTC", blackouts=["00:00-06:00"])
    assert {(line.first.hour, line.reason) for line in slots.upcoming("a", 4)} == {
        (0, "BLACKOUT"),
        (12, ""),
    }


def test_a_portion_goes_on_behind_its_last_line(minutely):
    for number in range(5):
        put(minutely - number * MINUTE, RunState.FAILED if number == 1 else RunState.SUCCESS)
    since, seen = minutely - 4 * MINUTE, []
    while since:
        part = slots.portion(slots.read("a", since, minutely + MINUTE), 2)
        seen += [line.first for line in part.lines]
        since = part.following and part.following + timedelta(microseconds=1)
    assert seen == [minutely - number * MINUTE for number in (4, 3, 2, 1, 0)]
    only = slots.portion(slots.read("a", minutely - 4 * MINUTE, FOR_EVER), 2, ["FAILED"])
    assert ([line.first for line in only.lines], only.following) == ([minutely - MINUTE], None)


def test_a_portion_looks_at_so_many_lines_and_no_more(minutely, monkeypatch):
    monkeypatch.setattr(slots, "LOOKED_AT", 3)
    for number in range(5):
        put(minutely - number * MINUTE)
    part = slots.portion(slots.read("a", minutely - 4 * MINUTE, FOR_EVER), 2, ["FAILED"])
    assert (part.lines, part.following) == ([], minutely - 2 * MINUTE)


def test_neighbours_alike_are_one_stretch(minutely):
    for number in range(6):
        put(minutely - number * MINUTE, RunState.FAILED if number == 2 else RunState.SUCCESS)
    lines = slots.read("a", minutely - 5 * MINUTE, minutely + MINUTE)
    found = [(line.first, line.last, line.count, line.state) for line in slots.stretches(lines)]
    assert found == [
        (minutely - 5 * MINUTE, minutely - 3 * MINUTE, 3, "SUCCESS"),
        (minutely - 2 * MINUTE, minutely - 2 * MINUTE, 1, "FAILED"),
        (minutely - MINUTE, minutely, 2, "SUCCESS"),
    ]


def test_a_week_of_a_minutely_job_takes_few_queries(django_assert_max_num_queries):
    make_job("a", cron="* * * * *")
    last = db_now().replace(second=0, microsecond=0)
    ScheduleEpoch.objects.update(opened_at=last - timedelta(days=8))
    Timetable.objects.update(next_run_time=last + MINUTE)
    span = ScheduleEpoch.objects.get().pk
    JobRun.objects.bulk_create(
        JobRun(
            job_id="a", epoch=span, slot=slot, state="SUCCESS", trigger="SCHEDULE", ready_at=slot,
            queued_at=slot, started_at=slot,
        )
        for slot in (last - number * MINUTE for number in range(7 * 1440))
    )  # fmt: skip
    with django_assert_max_num_queries(30):
        found = sum(1 for _ in slots.read("a", last - timedelta(days=7) + MINUTE, last + MINUTE))
    assert found == 7 * 1440
