from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from notifications_app import channel_states, lanes
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, ChannelState, DeliveryAttempt, LaneState
from scheduler_app.clock import db_now
from tests.factories import make_user
from tests.integration.api.conftest import make_notification
from tests.integration.test_dead_letters import make_dead

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(capsys):
    """`run(*arguments)`: the exit code, what stdout had and what was said."""

    def call(*arguments):
        code = 0
        try:
            call_command("notifications", *map(str, arguments))
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def read(run):
    """`read(*arguments)`: the JSON of stdout, whatever was said beside it."""
    return lambda *arguments: json.loads(run(*arguments, "--format", "json")[1])


@pytest.fixture
def answer(monkeypatch):
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def states():
    return list(AlertNotification.objects.order_by("pk").values_list("state", flat=True))


def test_stats_count_by_lane_and_say_what_each_keeps_to(read, run):
    olga, now = make_user(), db_now()
    make_notification(olga, "WEBHOOK", lane="a", due_at=now - timedelta(seconds=90))
    make_notification(olga, "WEBHOOK", lane="b", due_at=now + timedelta(hours=1))
    make_notification(olga, "WEBHOOK", lane="b", state="SENDING")
    make_notification(olga, state="SENT", finished_at=now)
    make_notification(olga, state="SENT", finished_at=now - timedelta(hours=25))
    make_dead(olga)
    lanes.pause(Lane("WEBHOOK", "b"), 600, "slow down", now)
    facts = read("stats")
    found = {(line["channel"], line["lane"]): line for line in facts["lanes"]}
    a, b, inbox = found["WEBHOOK", "a"], found["WEBHOOK", "b"], found["SYSTEM", ""]
    assert (a["due"], a["later"], a["leased"]) == (1, 0, 0)
    assert (b["due"], b["later"], b["leased"]) == (0, 1, 1)
    assert b["pause_reason"] == "slow down"
    assert (inbox["sent_24h"], inbox["failed_24h"], inbox["condition"]) == (1, 1, "free")
    assert facts["queue"]["workers"] == 0
    code, out, err = run("stats")
    assert code == 0
    assert "off: WEBHOOK is" in out
    assert "1 due, the oldest for 1 min 3" in err


def test_stats_tell_pause_breaker_limit_and_hold(read):
    now = db_now()
    channel_states.ensure()
    ChannelState.objects.filter(pk="SYSTEM").update(rate_limit="4/minute")

    def condition():
        (line,) = [one for one in read("stats")["lanes"] if one["channel"] == "SYSTEM"]
        return line["condition"]

    lanes.pause(Lane("SYSTEM"), 600, "slow down", now)
    assert condition().endswith(": slow down")
    lanes.resume("SYSTEM", by="test")
    with transaction.atomic():
        lanes.note_failures(Lane("SYSTEM"), 3, "no answer", now, is_probe=False)
    assert condition().startswith("breaker open until")
    lanes.resume("SYSTEM", by="test")
    LaneState.objects.update(spent_until=now + timedelta(minutes=5))
    assert condition().startswith("rate limit 4/minute used up until")
    ChannelState.objects.update(held=True)
    assert condition() == "held by an operator"


def test_dead_lists_the_newest_first_with_answers(read, run):
    olga = make_user()
    old = make_dead(olga, finished_at=db_now() - timedelta(days=2))
    new = make_dead(olga, "EMAIL", reason="REFUSED", error_message="550 token=hidden-1")
    DeliveryAttempt.objects.create(
        notification=new, channel="EMAIL", number=1, started_at=db_now(),
        outcome="PERMANENT", answer="550 5.1.1 no such user",
    )  # fmt: skip
    found = read("dead")
    assert [row["id"] for row in found] == [new.pk, old.pk]
    assert (found[0]["answer"], found[0]["error"]) == ("550 5.1.1 no such user", "550 token=***")
    for filters in (("--channel", "email"), ("--reason", "refused"), ("--since", "24h"),
                    ("--alert", new.alert_id), ("--limit", 1)):  # fmt: skip
        assert [row["id"] for row in read("dead", *filters)] == [new.pk], filters
    assert read("dead", "--person", "nobody") == []
    _, out, err = run("dead", "--limit", 1)
    assert "550 5.1.1 no such user" in out
    assert "Stopped at 1 lines" in err


def test_requeue_previews_asks_and_does(run, answer):
    olga, gone = make_user(), make_user("gone")
    make_dead(olga)
    make_dead(gone)
    gone.delete()
    code, out, err = run("requeue", "--all", "--dry-run")
    assert (code, out, states()) == (0, "", ["DEAD", "DEAD"])
    assert "2 messages were given up and are chosen" in err
    assert "SYSTEM  TRIES_USED_UP  2" in err
    assert "1 would go out" in err
    assert "1 would be suppressed: the person left" in err
    answer("n\n")
    assert run("requeue", "--all")[0] == 1
    assert states() == ["DEAD", "DEAD"]
    answer("y\n")
    code, _, err = run("requeue", "--channel", "SYSTEM")
    assert (code, states()) == (0, ["PENDING", "PENDING"])
    assert "2 messages are due again." in err


def test_requeue_in_json_leaves_stdout_to_the_data(read, answer):
    row = make_dead(make_user())
    answer("yes\n")
    facts = read("requeue", row.pk)
    assert (facts["total"], facts["sent"], facts["requeued"]) == (1, 1, 1)


def test_requeue_of_what_was_not_given_up_ends_with_1(run):
    olga = make_user()
    dead, alive = make_dead(olga), make_notification(olga)
    code, _, err = run("requeue", dead.pk, alive.pk, "--yes")
    assert (code, states()) == (1, ["PENDING", "PENDING"])
    assert "some are not given up" in err
    assert run("requeue", "--reason", "REFUSED")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("requeue",), "Say which"),
        (("requeue", "--all"), "use --yes"),
        (("dead", "--limit", "0"), "--limit is from 1"),
        (("dead", "--since", "soon"), "is no time"),
        (("trace", "999999999"), "There is no notification 999999999."),
    ],
)
def test_what_cannot_be_meant_ends_with_2(answer, arguments, words):
    make_dead(make_user())
    answer("")
    with pytest.raises(CommandError, match=words) as end:
        call_command("notifications", *arguments)
    assert end.value.returncode == 2
    assert states() == ["DEAD"]


def test_trace_tells_the_story_and_what_is_next(run, read):
    row = make_dead(make_user(), error_message="550 token=hidden-1")
    code, out, _ = run("trace", row.pk)
    assert code == 0
    assert "It broke" in out
    assert "Now: given up (all tries failed)" in out
    assert f"notifications requeue {row.pk}" in out
    facts = read("trace", row.pk)
    assert {"ALERT", "RECIPIENT", "FAN_OUT"} < {step["kind"] for step in facts["steps"]}
    (end,) = [step for step in facts["steps"] if step["kind"] == "END"]
    assert end["facts"]["error"] == "550 token=***"
    assert (facts["state"], facts["error"], facts["next_at"]) == ("DEAD", "550 token=***", None)
