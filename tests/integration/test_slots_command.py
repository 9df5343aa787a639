from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, ScheduleEpoch, Timetable
from tests.factories import make_job

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def last():
    """The newest slot of a minutely job of which the last 6 are on record, the fourth as MISSED with the fifth."""
    make_job("a", cron="* * * * *")
    last = db_now().replace(second=0, microsecond=0)
    ScheduleEpoch.objects.update(opened_at=last - 6 * MINUTE)
    Timetable.objects.update(next_run_time=last + MINUTE)
    span = ScheduleEpoch.objects.get().pk
    for number in (0, 1, 2, 5):
        slot = last - number * MINUTE
        JobRun.objects.create(
            job_id="a", epoch=span, slot=slot, state="SUCCESS", trigger="SCHEDULE", ready_at=slot,
            queued_at=slot, started_at=slot + timedelta(milliseconds=40),
        )  # fmt: skip
    JobRun.objects.create(
        job_id="a", epoch=span, slot=last - 4 * MINUTE, slot_last=last - 3 * MINUTE, slot_count=2,
        state="MISSED", reason="GRACE", trigger="SCHEDULE", ready_at=last, queued_at=last,
    )  # fmt: skip
    return last


def lines(capsys):
    return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]


def test_every_slot_is_a_line_and_a_range_is_one(last, capsys):
    call_command("slots", "--job", "a")
    shown = lines(capsys)
    assert [line[-5] for line in shown if "SUCCESS" in line] == ["SUCCESS"] * 4
    assert len(shown) == 5
    assert shown[1][4:7] == ["2", "MISSED", "GRACE"]
    assert shown[0][-3:] == ["1", "40", "ms"]


def test_a_slot_without_its_row_is_missing_and_ends_with_1(last, capsys):
    JobRun.objects.filter(slot=last - MINUTE).delete()
    with pytest.raises(SystemExit) as end:
        call_command("slots", "--job", "a", "--state", "missing", "--format", "json")
    assert end.value.code == 1
    said = capsys.readouterr()
    (line,) = json.loads(said.out)
    assert (line["slot"], line["state"]) == ((last - MINUTE).isoformat(), "MISSING")
    assert line["run_id"] is None
    assert "1 lines are wrong" in said.err


def test_json_is_a_list_of_plain_values(last, capsys):
    call_command("slots", "--job", "a", "--format", "json", "--upcoming", "2")
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == [
        "SUCCESS", "MISSED", "SUCCESS", "SUCCESS", "SUCCESS", "UPCOMING", "UPCOMING",
    ]  # fmt: skip
    assert (rows[1]["slot_count"], rows[1]["attempts"], rows[0]["attempts"]) == (2, 0, 1)
    call_command("slots", "--job", "a", "--since", "2020-01-01", "--until", "2020-01-02",
                 "--format", "json")  # fmt: skip
    assert json.loads(capsys.readouterr().out) == []


def test_the_limit_says_where_to_go_on(last, capsys):
    call_command("slots", "--job", "a", "--limit", "2")
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    go_on = (last - 2 * MINUTE).isoformat()
    assert f"go on with --since {go_on}" in said.err
    call_command("slots", "--job", "a", "--since", go_on)
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 4
    assert said.err.strip() == "3 slots: 3 SUCCESS."


@pytest.mark.parametrize(
    "options", [["--job", "ghost"], ["--job", "a", "--since", "soon"], ["--job", "a", "--limit=0"]]
)
def test_what_cannot_be_meant_ends_with_2(last, options):
    with pytest.raises(CommandError) as end:
        call_command("slots", *options)
    assert end.value.returncode == 2
