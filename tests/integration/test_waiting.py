"""What `notification_worker --drain` says of the messages that stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from notifications_app import channel_states, lanes, waiting
from notifications_app.lanes import Lane
from notifications_app.models import LaneState
from scheduler_app.clock import db_now
from tests.factories import make_notification

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _channels_are_up(settings):
    up = {
        "EMAIL": {"SMTP_SERVER": "127.0.0.1", "FROM": "vigil@example.com"},
        "WECHAT": {"WEBHOOK_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a-key"},
        "WEBHOOK": {"SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    }
    up = {name: {"ENABLED": True, **options} for name, options in up.items()}
    settings.VIGIL_NOTIFICATIONS = settings.VIGIL_NOTIFICATIONS | up


@pytest.fixture
def drain(capsys):
    """Runs the command; exit code and what it printed."""

    def run() -> tuple[int, str]:
        code = 0
        try:
            call_command("notification_worker", "--drain", "--concurrency", "1")
        except SystemExit as end:
            code = int(str(end.code))
        found = capsys.readouterr()
        return code, " ".join((found.out + found.err).split())

    return run


def test_nothing_that_waits_is_said(drain):
    make_notification("SYSTEM", state="SENT")
    assert drain() == (0, "Nothing waits.")


def test_paused_and_held_channels_keep_back_what_is_due(drain):
    channel_states.ensure()
    now = db_now()
    for _ in range(2):
        make_notification("WEBHOOK", lane="a.example", due_at=now)
    make_notification("EMAIL", due_at=now)
    lanes.pause(Lane("WEBHOOK", "a.example"), 600, "slow down", now)
    channel_states.set_held("EMAIL", True, by="olga")
    code, said = drain()
    until = f"{now + timedelta(seconds=600):%Y-%m-%d %H:%M}"
    assert code == 1
    assert "3 messages wait:" in said
    assert "EMAIL 1 held by an operator - -" in said
    assert "WEBHOOK a.example 2 paused until" in said
    assert f"slow down {until}" in said


def test_retries_and_quiet_hours_are_no_failure(drain):
    now = db_now()
    make_notification("EMAIL", state="FAILED", due_at=now + timedelta(minutes=5))
    make_notification("EMAIL", state="FAILED", due_at=now + timedelta(minutes=15))
    make_notification("WECHAT", reason="QUIET_HOURS", due_at=now + timedelta(hours=7))
    code, said = drain()
    first, last, morning = (
        f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}" for minutes in (5, 15, 420)
    )
    assert code == 0
    assert f"EMAIL 2 failed, will be tried again {first} {last}" in said
    assert f"WECHAT 1 quiet hours {morning} {morning}" in said


def test_rate_limit_tells_when_the_first_and_the_last_may_go():
    now = db_now()
    for _ in range(3):
        make_notification("WECHAT", lane="robot", due_at=now)
    spent = now + timedelta(minutes=1)
    LaneState.objects.create(channel="WECHAT", lane="robot", spent_until=spent)
    (found,) = waiting.all_waiting(now)
    assert (found.count, found.is_due) == (3, True)
    assert "rate limit 20/minute used up until" in found.why
    assert now < found.next_at < found.last_at <= spent
