"""P4 with gateways that do anything but their work: messages end or are due again, and no lane waits for another."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.models import AlertRecord
from notifications_app import channel_states, lanes
from notifications_app.models import AlertNotification, ChannelState, DeliveryAttempt, LaneState
from scheduler_app.clock import db_now
from tests.gateways import Gateway, Reply, SmtpSink
from tests.story import WEBHOOKS, channels_env, make_person

pytestmark = pytest.mark.timeout(300)

CONCURRENCY = 8
LATE_S = 3.0  # SEND_DEADLINE_S of the quick settings is 2
FAULTS = {
    "silent": (Reply(delay_s=60), "UNKNOWN", "no answer within"),
    "late": (Reply(delay_s=LATE_S), "UNKNOWN", "no answer within"),
    "hangs_up": (Reply(drop=True), "UNKNOWN", "disconnected"),
    "half": (Reply("x", headers={"Content-Length": "100"}), "UNKNOWN", "may have arrived"),
    "drips": (Reply("x" * 1000, drip_s=0.1), "UNKNOWN", "no answer within"),
    "broken": (Reply("busy", status=500), "FAILED", "HTTP 500"),
    "gone": (Reply("gone", status=410), "DEAD", "is the URL right?"),
    "chatty": (Reply("x" * 1_000_000), "SENT", ""),
    "chatty_failure": (Reply("x" * 1_000_000, status=502), "FAILED", "HTTP 502"),
    "well": (Reply(), "SENT", ""),
}


@pytest.fixture
def sink():
    with SmtpSink() as one:
        yield one


@pytest.fixture
def past(tmp_path):
    """A server's context whose certificate has expired, and the file of the authority that issued it."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    over = datetime.now(UTC) - timedelta(days=1)
    authority.issue_cert("127.0.0.1", "127.0.1.1", not_after=over).configure_cert(context)
    path = Path(tmp_path) / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return context, str(path)


def person_with(name: str, url: str, **wishes) -> None:
    """Somebody who is told by webhook and by e-mail."""
    fixed = {"system_enabled": False, "wechat_enabled": False, "webhook_enabled": True}
    make_person(name, webhook_url=url, **{**fixed, **wishes})


def test_each_fault_of_a_receiver_has_its_end_and_holds_up_no_other(site, sink, past, wait_until):
    context, ca_file = past
    expected = {name: (state, said) for name, (_, state, said) in FAULTS.items()}
    with ExitStack() as stack:
        for number, (name, (reply, _state, _said)) in enumerate(FAULTS.items(), start=1):
            gateway = stack.enter_context(Gateway(f"127.0.0.{number}"))
            gateway.reply = reply
            person_with(name, gateway.url)
        person_with("expired", stack.enter_context(Gateway("127.0.1.1", tls=context)).url)
        expected["expired"] = ("FAILED", "certificate has expired")
        person_with("nameless", "http://receiver.invalid/hook")
        expected["nameless"] = ("FAILED", "No connection to receiver.invalid")
        site.env |= channels_env(sink) | WEBHOOKS | {"SSL_CERT_FILE": ca_file}
        owners = list(expected)
        for number in (0, 6):
            owner = ",".join(owners[number : number + 6])
            raise_alert(NewAlert(fingerprint=f"f{number}", title="Disk full", owner=owner))
        worker = site.worker("--concurrency", str(CONCURRENCY))
        mails = AlertNotification.objects.filter(channel="EMAIL", state="SENT")
        wait_until(lambda: mails.count() == len(expected), 10)
        untried = AlertNotification.objects.filter(channel="WEBHOOK", attempts=None)
        wait_until(lambda: not untried.exists(), 20)
        assert worker.stop() == 0
    for row in AlertNotification.objects.filter(channel="WEBHOOK"):
        state, said = expected[row.recipient_name]
        assert (row.recipient_name, row.state) == (row.recipient_name, state)
        assert said in row.error_message
        assert row.tries == 1
        if state in ("UNKNOWN", "FAILED"):  # five minutes, give or take a fifth
            assert timedelta(minutes=3) < row.due_at - db_now() <= timedelta(minutes=6)
        else:
            assert row.finished_at
    assert not LaneState.objects.filter(openings__gt=0).exists()


@pytest.mark.parametrize("fault", ["expired", "nameless", "hangs_up", "silent"])
def test_mail_server_that_fails_holds_up_no_webhook(site, past, wait_until, fault):
    context, ca_file = past
    expected = {
        "expired": ("PENDING", "CHANNEL_REFUSED", "certificate has expired"),
        "nameless": ("FAILED", "", "mail.invalid"),
        "hangs_up": ("UNKNOWN", "", ""),
        "silent": ("UNKNOWN", "", ""),
    }
    with SmtpSink(tls=context) as sink, Gateway() as gateway:
        env = channels_env(sink) | WEBHOOKS
        if fault == "expired":
            env |= {"EMAIL_USE_TLS": "true", "EMAIL_CA_FILE": ca_file}
        if fault == "nameless":
            env |= {"EMAIL_SMTP_SERVER": "mail.invalid"}
        sink.drop_after_data = fault == "hangs_up"
        sink.delay_s = 60 if fault == "silent" else 0
        site.env |= env
        person_with("olga", gateway.url)
        raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
        worker = site.worker("--concurrency", str(CONCURRENCY))
        wait_until(lambda: AlertNotification.objects.get(channel="WEBHOOK").state == "SENT", 10)
        mail = AlertNotification.objects.filter(channel="EMAIL")
        wait_until(lambda: DeliveryAttempt.objects.filter(channel="EMAIL").exists(), 20)
        assert worker.stop() == 0
    state, reason, said = expected[fault]
    assert (mail.get().state, mail.get().reason) == (state, reason)
    assert said in mail.get().error_message
    in_app = AlertNotification.objects.filter(channel="SYSTEM", recipient_name="olga")
    assert in_app.exists() == (reason == "CHANNEL_REFUSED")


HELO = "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname"


@pytest.mark.parametrize("mended", ["settings", "server"])
def test_server_that_refuses_us_is_told_and_asked_again_when_it_is_mended(
    site, sink, wait_until, mended
):
    make_person("olga", system_enabled=False, wechat_enabled=False)
    make_person("ivan", email_enabled=False, wechat_enabled=False)
    channel_states.ensure()
    ChannelState.objects.filter(pk="EMAIL").update(owner="ivan")
    site.env |= channels_env(sink)
    sink.recipient_reply = HELO
    for name in ("disk", "cpu"):
        raise_alert(
            NewAlert(fingerprint=name, title="Disk full", owner="olga", severity="CRITICAL")
        )
    worker = site.worker("--concurrency", str(CONCURRENCY))
    in_app = AlertNotification.objects.filter(channel="SYSTEM", state="SENT")
    wait_until(lambda: in_app.filter(recipient_name="olga").count() == 2, 20)
    alarm = AlertRecord.objects.filter(source="CHANNEL")
    wait_until(lambda: in_app.filter(recipient_name="ivan", alert__in=alarm).count() == 1, 20)
    mails = AlertNotification.objects.filter(channel="EMAIL")
    assert set(mails.values_list("state", "reason")) == {("PENDING", "CHANNEL_REFUSED")}
    sink.recipient_reply = ""
    if mended == "settings":
        assert worker.stop() == 0
        site.env["EMAIL_EHLO_NAME"] = "vigil.example.com"
        worker = site.worker("--concurrency", str(CONCURRENCY))
    else:
        lanes.resume("EMAIL", by="ivan")
    wait_until(lambda: len(sink.messages) == 2, 20)
    wait_until(lambda: alarm.get().state == "RESOLVED", 20)
    assert worker.stop() == 0
    assert set(mails.values_list("state", "error_message")) == {("SENT", "")}
    assert (sink.names[-1] == "vigil.example.com") == (mended == "settings")


def test_breaker_opens_probes_with_one_message_and_closes(site, sink, wait_until):
    alerts, rows = 8, AlertNotification.objects.filter(channel="WEBHOOK")
    lane = LaneState.objects.filter(channel="WEBHOOK")
    with Gateway() as gateway:
        gateway.reply = Reply("busy", status=500)
        person_with("olga", gateway.url)
        site.env |= channels_env(sink) | WEBHOOKS
        for number in range(alerts):
            raise_alert(NewAlert(fingerprint=f"f{number}", title="Disk full", owner="olga"))
        worker = site.worker("--concurrency", str(CONCURRENCY))
        wait_until(lambda: lane.filter(openings=1).exists(), 20)
        wait_until(lambda: len(sink.messages) >= alerts, 20)  # the other channel's
        wait_until(lambda: not rows.filter(state="SENDING").exists(), 10)
        asked = len(gateway.posts)
        assert 3 <= asked <= 3 + CONCURRENCY // 4, "more than what was on its way when it opened"
        tried = sum(rows.values_list("tries", flat=True))

        def probe():
            lane.update(paused_until=db_now())
            wait_until(lambda: len(gateway.posts) > asked, 10)

        probe()
        wait_until(lambda: lane.filter(openings=2, paused_until__gt=db_now()).exists(), 10)
        assert len(gateway.posts) == asked + 1
        assert sum(rows.values_list("tries", flat=True)) == tried
        gateway.reply, asked = Reply(), len(gateway.posts)
        probe()
        wait_until(lambda: lane.filter(openings=0, failures_in_a_row=0).exists(), 10)
        rows.filter(state="FAILED").update(due_at=db_now())
        wait_until(lambda: rows.filter(state="SENT").count() == alerts, 20)
        assert worker.stop() == 0
    assert len(gateway.posts) == asked + alerts


def test_slow_host_of_many_people_gets_a_post_for_each_and_burns_no_try(site, wait_until):
    people = 12
    with Gateway() as gateway:
        gateway.reply = Reply(delay_s=0.6)  # all of them together outlast a call's deadline
        for number in range(people):
            person_with(f"p{number}", f"{gateway.url}/{number}", email_enabled=False)
        site.env |= channels_env() | WEBHOOKS
        raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner=OWNERS))
        worker = site.worker("--concurrency", str(CONCURRENCY))
        rows = AlertNotification.objects.filter(channel="WEBHOOK")
        wait_until(lambda: rows.filter(state="SENT").count() == people, 30)
        assert worker.stop() == 0
        assert len(gateway.posts) == people
    assert set(rows.values_list("tries", flat=True)) == {1}


OWNERS = ",".join(f"p{number}" for number in range(12))
