"""A hostile text in what people read: on the terminal, in mails and on pages it controls nothing and hides nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import wording
from notifications_app.models import AlertNotification, DeliveryAttempt
from notifications_app.states import NotificationKind
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from tests.factories import make_job, make_notification

pytestmark = pytest.mark.django_db

HOSTILE = "x\x1b[31m\x1b]52;c;ZXZpbA==\x07\x9b2J\u202eexe.txt\u200b"
SHOWN = "x\\u001b[31m\\u001b]52;c;ZXZpbA==\\u0007\\u009b2J\\u202eexe.txt\\u200b"
CONTROLS = set("\x1b\x07\x9b\u202e\u200b")


@pytest.fixture
def run(capsys):
    """`run(*command)` returns what a command shows, on either stream."""

    def start(*command):
        try:
            call_command(*map(str, command))
        except (SystemExit, CommandError) as end:
            said = capsys.readouterr()
            return f"{said.out}{said.err}{end if isinstance(end, CommandError) else ''}"
        said = capsys.readouterr()
        return said.out + said.err

    return start


@pytest.fixture
def job():
    return make_job("a", name=HOSTILE, owner=HOSTILE, description=HOSTILE)


@pytest.fixture
def ended(job, monkeypatch):
    """A run that ended with hostile texts, of which `run_job --wait` shows everything."""
    now = db_now()
    row = JobRun.objects.create(
        job=job, state="FAILED", trigger="MANUAL", ready_at=now - timedelta(seconds=200), queued_at=now, started_at=now,
        finished_at=now, error=HOSTILE, traceback=HOSTILE, log=f"{HOSTILE}\nsecond line\n",
        result=HOSTILE, duration_ms=79.37199961816077,
    )  # fmt: skip
    monkeypatch.setattr("scheduler_app.requests.run_now", lambda *_args, **_options: row)
    return row


@pytest.fixture
def dead():
    row = make_notification("SYSTEM", state="DEAD", error_message=HOSTILE, finished_at=db_now())
    AlertRecord.objects.update(title=HOSTILE, body=f"{HOSTILE}\nsecond line", owner=HOSTILE)
    AlertNotification.objects.update(recipient_name=HOSTILE)
    DeliveryAttempt.objects.create(
        notification=row, channel="SYSTEM", number=1, started_at=db_now(), outcome="PERMANENT",
        error=HOSTILE, answer=HOSTILE, gateway_ms=79.37199961816077,
    )  # fmt: skip
    return row


def test_run_is_shown_with_its_texts_and_durations(ended, run):
    text = run("run_job", "a", "--wait")
    assert SHOWN in text
    assert "second line" in text
    assert "79 ms" in text
    assert "3 min 20 s" in text
    assert not CONTROLS & set(text)


def test_json_of_a_run_stays_json(ended, capsys):
    with pytest.raises(SystemExit):
        call_command("run_job", "a", "--wait", "--format", "json")
    out = capsys.readouterr().out
    assert json.loads(out)["error"] == HOSTILE
    assert json.loads(out)["duration_ms"] == 79.37199961816077
    assert not CONTROLS & set(out)


@pytest.mark.parametrize("how", ["table", "json"])
def test_notifications(dead, run, how):
    assert "x\\u001b[31m" in run("notifications", "dead", "--format", "table")
    for command in (("notifications", "dead"), ("notifications", "trace", dead.pk)):
        assert not CONTROLS & set(run(*command, "--format", how))


def test_duration_of_a_gateway_is_written_as_people_do(dead, run):
    assert "gateway 79 ms" in run("notifications", "trace", dead.pk)


@pytest.mark.parametrize(
    "command",
    [
        ("slots", "--job", HOSTILE),
        ("who_is_told", "a"),
        ("who_is_told", HOSTILE),
        ("run_job", HOSTILE),
        ("risk_register", "add", "--job", HOSTILE),
        ("send_test", "--channel", "SYSTEM", "--to", HOSTILE),
        ("verify_jobs",),
        ("notifications", "dead", "--since", HOSTILE),
    ],
)
def test_no_command_shows_it_raw(job, run, command):
    text = run(*command)
    assert text
    assert not CONTROLS & set(text)


def test_mail_and_post(dead):
    alert, occurrence = AlertRecord.objects.get(), AlertOccurrence.objects.get()
    words = wording.compose(alert, occurrence, NotificationKind.FIRE, language="en", zone="UTC")
    for text in (words.subject, words.text, words.html, words.title, words.body, str(words.facts)):
        assert not CONTROLS & set(text)
    assert SHOWN in words.body
    assert "\nsecond line" in words.body


def test_pages(ended, dead, admin_client):
    for address in (
        reverse("vigil_scheduler:run", args=[ended.pk]),
        reverse("vigil_notifications:notification", args=[dead.pk]),
        reverse("vigil_alerts:alert", args=[dead.alert_id]),
        reverse("admin:scheduler_app_jobrun_change", args=[ended.pk]),
    ):
        text = admin_client.get(address).content.decode()
        assert "x\\u001b[31m" in text, address
        assert not CONTROLS - {"\u200b"} & set(text), address
