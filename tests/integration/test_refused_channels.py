"""A gateway that refuses the channel itself: messages wait, people and the channel's owner are told elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.models import AlertRecord
from notifications_app import (
    channel_alarms,
    channel_states,
    fallback,
    findings,
    lanes,
    preferences,
    test_messages,
)
from notifications_app.channels import registry
from notifications_app.channels.wechat.robots import Robot
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    PolicyError,
)
from notifications_app.lanes import Lane
from notifications_app.models import (
    AlertNotification,
    ChannelState,
    LaneState,
    NotificationSettings,
)
from notifications_app.worker import Worker
from scheduler_app.clock import db_now
from tests.channels import FakeChannel
from tests.delivery import claim_one, dispatcher_of
from tests.factories import make_user
from tests.gateways import Gateway, Reply

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = ConfigurationError("535 wrong password")
ONLY_MAIL = {"system_enabled": False, "wechat_enabled": False}


@pytest.fixture(autouse=True)
def _people():
    """Olga has e-mail alone; the channel belongs to Ivan."""
    NotificationSettings.objects.create(user=make_user("olga"), **ONLY_MAIL)
    NotificationSettings.objects.create(user=make_user("ivan"), wechat_enabled=False)
    ChannelState.objects.create(channel="EMAIL", owner="ivan")


def raise_for_olga(fingerprint: str = "disk", severity: str = "ERROR") -> AlertNotification:
    raise_alert(
        NewAlert(fingerprint=fingerprint, title="Disk full", owner="olga", severity=severity)
    )
    return mail_of(fingerprint)


def mail_of(fingerprint: str) -> AlertNotification:
    return AlertNotification.objects.get(alert__fingerprint=fingerprint, channel="EMAIL")


def deliver(*answers: DeliveryError | None) -> AlertNotification:
    channel = FakeChannel(*answers)
    claim = claim_one(channel)
    assert claim, "nothing may be claimed"
    dispatcher_of(channel).deliver(claim)
    return AlertNotification.objects.get(pk=claim.rows[0].pk)


def let_time_pass() -> None:
    LaneState.objects.update(paused_until=db_now() - timedelta(seconds=1))


def alarms(**wanted) -> list[AlertRecord]:
    return list(AlertRecord.objects.filter(source="CHANNEL", **wanted))


def in_app(name: str = "olga"):
    return AlertNotification.objects.filter(channel="SYSTEM", recipient_name=name)


@pytest.mark.parametrize("severity", ["WARNING", "CRITICAL"])
def test_first_refusal_tells_the_person_elsewhere_and_the_owner_by_other_channels(severity):
    raise_for_olga(severity=severity)
    waiting = deliver(REFUSED)
    assert (waiting.state, waiting.reason, waiting.tries) == ("PENDING", "CHANNEL_REFUSED", 0)
    assert in_app().get().reason == "CHANNEL_OFF"
    (alarm,) = alarms(state="OPEN")
    assert alarm.title == "EMAIL is refused by its gateway"
    assert alarm.body.startswith("535 wrong password\n\nMessages wait")
    told = AlertNotification.objects.filter(alert=alarm)
    assert set(told.values_list("recipient_name", "channel")) >= {("ivan", "SYSTEM")}
    assert not told.filter(channel="EMAIL").exists()


def test_owner_with_no_other_channel_is_told_in_app_all_the_same():
    ChannelState.objects.update(owner="olga")
    raise_for_olga()
    deliver(REFUSED)
    told = AlertNotification.objects.get(alert=alarms()[0], recipient_name="olga")
    assert (told.channel, told.reason) == ("SYSTEM", "CHANNEL_OFF")


def test_lane_is_asked_by_single_messages_ever_more_seldom_and_the_alarm_stays_one():
    raise_for_olga()
    pauses = []
    for _ in range(8):
        assert deliver(REFUSED).tries == 0
        state = LaneState.objects.get()
        pauses.append(round((state.paused_until - db_now()).total_seconds() / 60))
        assert claim_one(FakeChannel()) is None
        let_time_pass()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [alarm.occurrence_count for alarm in alarms()] == [8]
    assert in_app().count() == 1
    assert AlertNotification.objects.filter(alert=alarms()[0], recipient_name="ivan").count() == 1


def test_message_goes_out_when_the_gateway_takes_the_channel_again_and_the_alarm_ends():
    raise_for_olga()
    deliver(REFUSED)
    let_time_pass()
    sent = deliver(None)
    assert (sent.state, sent.error_message) == ("SENT", "")
    state = LaneState.objects.get()
    assert (state.openings, state.refused_settings, state.paused_until) == (0, "", None)
    assert [alarm.state for alarm in alarms()] == ["RESOLVED"]
    raise_for_olga("second")
    deliver(REFUSED)
    assert [alarm.state for alarm in alarms()] == ["OPEN", "RESOLVED"]


def test_refusal_of_the_recipient_shows_that_the_channel_works():
    raise_for_olga()
    deliver(REFUSED)
    let_time_pass()
    assert deliver(PermanentError("no such user")).state == "DEAD"
    assert [alarm.state for alarm in alarms()] == ["RESOLVED"]


def test_operator_who_resumes_lets_all_go_out_and_success_ends_the_alarm():
    raise_for_olga()
    deliver(REFUSED)
    assert lanes.resume("EMAIL", by="ivan") == 1
    assert [alarm.state for alarm in alarms()] == ["OPEN"]
    assert deliver(None).state == "SENT"
    assert [alarm.state for alarm in alarms()] == ["RESOLVED"]


@pytest.mark.parametrize("changed", [True, False])
def test_start_with_other_settings_lets_all_go_out(changed):
    raise_for_olga()
    deliver(REFUSED)
    channel = FakeChannel(None)
    channel.options = {"PASSWORD": "new"} if changed else {}
    dispatcher_of(channel).resume_mended()
    assert (claim_one(channel) is not None) == changed


def test_what_comes_while_the_channel_is_refused_is_told_elsewhere_too():
    raise_for_olga()
    deliver(REFUSED)
    late = raise_for_olga("late", severity="CRITICAL")
    fallback.help_waiting()
    fallback.help_waiting()
    late.refresh_from_db()
    assert (late.state, late.reason) == ("PENDING", "CHANNEL_REFUSED")
    assert late.error_message == "refused: 535 wrong password"
    assert in_app().count() == 2


def test_fallback_that_is_refused_itself_is_not_used():
    ChannelState.objects.update(fallback="WEBHOOK")
    NotificationSettings.objects.update(webhook_enabled=True, webhook_url="https://a.example/x")
    LaneState.objects.create(
        channel="WEBHOOK", lane="b.example", refused_settings="x", openings=1,
        paused_until=db_now() + timedelta(minutes=5),
    )  # fmt: skip
    raise_for_olga()
    deliver(REFUSED)
    assert in_app().count() == 1


def test_relaying_that_is_refused_is_tried_again_and_told_while_others_go_on():
    raise_for_olga()
    raise_for_olga("other")
    refused = deliver(PolicyError("554 relay access denied"))
    assert (refused.state, refused.reason, refused.tries) == ("FAILED", "CHANNEL_REFUSED", 1)
    assert in_app().count() == 1
    assert [alarm.title for alarm in alarms()] == ["EMAIL is refused for some messages"]
    assert deliver(None).state == "SENT"


@pytest.mark.parametrize("severity", ["ERROR", "CRITICAL"])
def test_critical_message_that_a_recipients_server_refuses_is_told_in_app(severity):
    raise_for_olga(severity=severity)
    assert deliver(PermanentError("no such user")).state == "DEAD"
    assert in_app().exists() == (severity == "CRITICAL")


def test_test_message_asks_at_once_and_is_answered():
    raise_for_olga()
    deliver(REFUSED)
    make_olgas_mail_end()
    row = test_messages.send_test("EMAIL", in_app().get().recipient)
    ended = deliver(REFUSED)
    assert (ended.pk, ended.state, ended.reason) == (row.pk, "DEAD", "REFUSED")


def make_olgas_mail_end() -> None:
    AlertNotification.objects.filter(channel="EMAIL").update(state="SENT", finished_at=db_now())


def test_refused_lane_is_a_finding_and_touches_no_other_lane():
    now = db_now()
    with transaction.atomic():
        for lane in ("a", "b"):
            lanes.note_failures(Lane("WECHAT", lane), 1, "busy", now, is_probe=False)
        lanes.note_refusal(Lane("WECHAT", "a"), 1, "errcode 93000", "x", now, is_probe=False)
    (found,) = findings.channel_findings(now)
    assert found.text == "The gateway of WECHAT refuses it: a: refused: errcode 93000"
    assert [state.lane for state in lanes.refused(now)] == ["a"]
    assert LaneState.objects.get(lane="b").paused_until is None


def test_revoked_robot_is_named_and_the_other_one_goes_on(settings):
    robot = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="
    options = {"ENABLED": True, "WEBHOOK_URL": f"{robot}first", "ROBOTS": {"pay": f"{robot}second"}}
    settings.VIGIL_NOTIFICATIONS = settings.VIGIL_NOTIFICATIONS | {"WECHAT": options}
    ChannelState.objects.create(channel="WECHAT", owner="ivan")
    robots = registry.shared("WECHAT")._routes  # type: ignore[attr-defined]
    for url in (f"{robot}first", f"{robot}second"):
        lane = Lane("WECHAT", Robot(url).lane)
        channel_alarms.refused(lane, "errcode 93000", db_now())
        assert robots.name_of(lane.name) in ("WEBHOOK_URL", "pay")
    titles = sorted(alarm.title for alarm in alarms(state="OPEN"))
    assert titles == [
        "WECHAT (WEBHOOK_URL) is refused by its gateway",
        "WECHAT (pay) is refused by its gateway",
    ]
    channel_alarms.lane_worked(lane, db_now())
    assert [alarm.title for alarm in alarms(state="OPEN")] == titles[:1]


def test_alarm_about_a_robot_that_was_replaced_ends_with_the_next_success(settings):
    gone = Lane("EMAIL", "old")
    with transaction.atomic():
        lanes.note_refusal(gone, 1, "errcode 93000", "x", db_now(), is_probe=False)
    channel_alarms.refused(gone, "errcode 93000", db_now())
    raise_for_olga()
    deliver(None)
    assert [alarm.state for alarm in alarms()] == ["OPEN"]
    lanes.resume_changed({"EMAIL": "y"})
    channel_states._fresh_until.clear()
    raise_for_olga("second")
    deliver(None)
    assert [alarm.state for alarm in alarms()] == ["RESOLVED"]


ALIYUN = {"ACCESS_KEY_ID": "gone", "ACCESS_KEY_SECRET": "x", "SIGN_NAME": "V", "TEMPLATE_CODE": "S"}
REVOKED = {"Code": "InvalidAccessKeyId.NotFound", "Message": "Specified access key is not found."}
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    ("channel", "options", "reply"),
    [
        ("WECHAT", {"WEBHOOK_URL": "{url}/cgi-bin/webhook/send?key=k-1"}, {"errcode": 93000}),
        (
            "WECHAT_APP",
            {"CORP_ID": "ww1", "AGENT_ID": "7", "SECRET": "s-1", "API_URL": "{url}"},
            {"errcode": 40001, "errmsg": "invalid credential"},
        ),
        ("SMS", {**ALIYUN, "ENDPOINT": "{url}"}, Reply(REVOKED, status=404)),
        *(
            ("WEBHOOK", {"URL": "{url}/hook", "SECRET": WHSEC}, Reply("no", status=status))
            for status in (401, 403, 404, 410)
        ),
        *(
            ("APPRISE", {"URL": "json://{host}/hook"}, Reply("no", status=status))
            for status in (401, 403, 410)
        ),
    ],
)
def test_each_channel_that_is_refused_waits_and_its_owner_is_told(
    settings, channel, options, reply
):
    with Gateway() as gateway:
        gateway.reply = reply if isinstance(reply, Reply) else Reply(reply)
        host = gateway.url.removeprefix("http://")
        filled = {
            name: value.replace("{url}", gateway.url).replace("{host}", host)
            for name, value in options.items()
        }
        settings.VIGIL_NOTIFICATIONS = {
            "QUEUE": "database",
            "PRIVATE_NETWORKS": ["127.0.0.1"],
            channel: {"ENABLED": True, **filled},
        }
        ChannelState.objects.create(channel=channel, owner="ivan")
        off = {f"{name}_enabled": False for name in ("system", "email", "wechat")}
        wishes = {**off, f"{channel.lower()}_enabled": True}
        preferences.save(
            make_user("petra"), {**wishes, "wechat_userid": "petra", "mobile": "13800138000"}
        )
        raise_alert(NewAlert(fingerprint="disk", title="Full", owner="petra", severity="CRITICAL"))
        Worker(concurrency=1).run(drain=True)
    row = AlertNotification.objects.get(channel=channel, recipient_name="petra")
    assert (row.state, row.reason, row.tries) == ("PENDING", "CHANNEL_REFUSED", 0)
    assert in_app("petra").get().state == "SENT"
    assert in_app("ivan").get(alert=alarms(state="OPEN")[0]).state == "SENT"
    assert len(alarms()) == 1
