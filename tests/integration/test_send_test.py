"""A test message by each new channel takes the way of every other: row, worker, channel, gateway."""

from __future__ import annotations

import threading

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections

from notifications_app import channel_states, daily_counts, outbox, preferences, selectors
from notifications_app.models import AlertNotification, DailyCount, LaneState
from notifications_app.test_messages import send_test
from notifications_app.worker import Worker
from scheduler_app.clock import db_now
from tests.factories import make_user
from tests.gateways import Gateway, Reply, SmtpSink, WechatWork

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def gateway():
    with Gateway() as one:
        yield one


@pytest.fixture
def sink():
    with SmtpSink() as one:
        yield one


@pytest.fixture
def olga():
    user = make_user("olga")
    preferences.save(user, {"wechat_userid": "olga", "mobile": "13800138000"})
    return user


@pytest.fixture
def delivered(olga, settings):
    """`delivered(CHANNEL, **options)`: the row of a test message to olga, after a worker has had it."""

    def deliver(channel, **options):
        settings.VIGIL_NOTIFICATIONS = {
            "QUEUE": "database",
            "PRIVATE_NETWORKS": ["127.0.0.1"],
            "SITE_URL": "https://vigil.example.com",
            channel: {"ENABLED": True, **options},
        }
        row = send_test(channel, olga, by="olga")
        Worker(concurrency=2).run(drain=True)
        return AlertNotification.objects.get(pk=row.pk)

    return deliver


def test_application_message_arrives(gateway, delivered):
    work = gateway.reply = WechatWork()
    keys = {"CORP_ID": "ww1", "AGENT_ID": "7", "SECRET": WechatWork.SECRET}
    row = delivered("WECHAT_APP", **keys, API_URL=gateway.url)
    assert (row.state, row.address, row.error_message) == ("SENT", "olga", "")
    assert "WECHAT_APP" in work.messages[0]["text"]["content"]


def test_webhook_arrives(gateway, delivered):
    row = delivered("WEBHOOK", URL=f"{gateway.url}/hook-secret-1", SECRET=SECRET)
    assert (row.state, row.error_message) == ("SENT", "")
    assert row.address == f"{gateway.url}/…"
    assert gateway.posts[0].json()["type"] == "alert.test"


def test_message_by_apprise_arrives(gateway, delivered):
    host = gateway.url.removeprefix("http://")
    row = delivered("APPRISE", URL=f"json://me:pass-word-1@{host}/hook-secret-1")
    assert (row.state, row.address) == ("SENT", "json://127.0.0.1/…")
    assert gateway.posts[0].json()["title"] == "[TEST] Test message by APPRISE"


def test_text_message_by_a_gateway_of_the_settings_arrives(gateway, delivered):
    http = {"URL": gateway.url, "JSON": {"to": "${mobile}", "text": "${title}"}}
    row = delivered("SMS", GATEWAY="http", HTTP=http)
    assert (row.state, row.address) == ("SENT", "13800138000")


def test_database_that_is_away_before_the_call_only_puts_a_text_message_off(
    gateway, delivered, monkeypatch, caplog
):
    """What is counted against a daily cap is counted before the call, which costs money."""
    reserve, cuts = daily_counts.reserve, iter([OperationalError("away")])

    def cut_once(*of_message):
        for error in cuts:
            raise error
        return reserve(*of_message)

    monkeypatch.setattr(daily_counts, "reserve", cut_once)
    http = {"URL": gateway.url, "JSON": {"to": "${mobile}", "text": "${title}"}}
    row = delivered("SMS", GATEWAY="http", HTTP=http)
    assert "message_not_judged" in [record.message for record in caplog.records]
    assert (row.state, row.tries, row.lost_claims, len(gateway.posts)) == ("SENT", 1, 0, 1)
    assert set(DailyCount.objects.values_list("total", flat=True)) == {1}


def test_card_of_a_robot_arrives(gateway, delivered):
    row = delivered("WECHAT", WEBHOOK_URL=gateway.robot, FORMAT="card")
    assert row.state == "SENT"
    card = gateway.posts[0].json()["template_card"]
    assert card["main_title"]["title"] == "Test message by WECHAT"
    assert card["card_action"]["url"] == "https://vigil.example.com/inbox/"


def test_person_without_a_webhook_is_told_what_is_missing(delivered):
    row = delivered("WEBHOOK", SECRET=SECRET)
    assert (row.state, row.reason) == ("DEAD", "NO_ADDRESS")
    assert row.error_message == "no webhook URL set for olga"


def test_mail_arrives(sink, delivered):
    options = {"SMTP_SERVER": sink.host, "SMTP_PORT": sink.port, "FROM": "vigil@example.com"}
    row = delivered("EMAIL", **options)
    assert (row.state, row.address, row.error_message) == ("SENT", "olga@example.com", "")
    assert len(sink.mails) == 1


def test_message_in_the_inbox_arrives(delivered):
    assert delivered("SYSTEM").state == "SENT"


@pytest.fixture
def command(settings, capsys):
    """`command(CHANNEL, *arguments)` with a worker beside it: its exit code, stdout and what it said."""

    def work(worker):
        worker.run()
        connections.close_all()

    def run(channel, *arguments, **options):
        settings.VIGIL_NOTIFICATIONS = {"QUEUE": "database", channel: {"ENABLED": True, **options}}
        worker = Worker(concurrency=1)
        thread = threading.Thread(target=work, args=(worker,))
        thread.start()
        code = 0
        try:
            call_command("send_test", "--channel", channel, "--to", "olga", *arguments)
        except SystemExit as end:
            code = end.code
        finally:
            worker.stop()
            thread.join()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("body", "code", "state"),
    [
        ({"errcode": 0, "errmsg": "ok, thanks"}, 0, "SENT"),
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, 1, "DEAD"),
    ],
)
def test_command_waits_and_prints_what_the_gateway_answered(
    olga, gateway, command, body, code, state
):
    gateway.reply = Reply(body)
    found = command("WECHAT", "--wait", WEBHOOK_URL=gateway.robot)
    assert found[0] == code
    assert state in found[1]
    assert body["errmsg"] in found[1]


def test_command_need_not_wait(olga, capsys):
    call_command("send_test", "--channel", "SYSTEM", "--to", "olga", "--wait", "0")
    row = AlertNotification.objects.get()
    assert row.state == "PENDING"
    assert f"Notification {row.pk} to olga is queued." in capsys.readouterr().err


@pytest.mark.parametrize("channel", ["WECHAT_APP", "WEBHOOK"])
def test_channel_that_is_not_set_up_says_what_to_set(delivered, channel):
    row = delivered(channel)
    assert (row.state, row.reason) == ("DEAD", "CHANNEL_OFF")
    assert row.error_message.startswith(f"{channel} is not configured: set {channel}_")


@pytest.mark.parametrize("off", [{"ENABLED": False}, {"SECRET": ""}, "switch"])
def test_what_a_channel_lacked_counts_in_no_figure_of_its_gateway_and_is_gone_when_it_works(
    gateway, delivered, client, olga, off
):
    works = {"ENABLED": True, "URL": f"{gateway.url}/hook", "SECRET": SECRET}
    channel_states.ensure()
    if off == "switch":
        channel_states.set_enabled("WEBHOOK", False, by="olga")
    first = delivered("WEBHOOK", **works | (off if isinstance(off, dict) else {}))
    assert (first.state, first.reason) == ("DEAD", "CHANNEL_OFF")
    line = webhook_line()
    assert (line.failure_count, line.unusable_count, line.success_rate_24h) == (0, 1, None)
    assert (line.state.last_error, line.state.failures_in_a_row) == ("", 0)
    assert not LaneState.objects.exists()
    channel_states.set_enabled("WEBHOOK", True, by="olga")
    outbox.requeue([first.pk], by="olga")
    assert delivered("WEBHOOK", **works).state == "SENT"
    first.refresh_from_db()
    assert (first.state, first.error_message) == ("SENT", "")
    assert (webhook_line().success_count, webhook_line().success_rate_24h) == (2, 1.0)
    client.force_login(olga)
    shown = client.get("/channels/").content.decode()
    assert first_words(off) not in section_of(shown, "WEBHOOK")


def webhook_line():
    return next(
        line for line in selectors.channel_lines(db_now()) if line.state.channel == "WEBHOOK"
    )


def section_of(page: str, channel: str) -> str:
    return page.partition(f'id="{channel}"')[2].partition("</section>")[0]


def first_words(off) -> str:
    return "not configured" if off == {"SECRET": ""} else "switched off"
