from __future__ import annotations

import pytest
from django.utils import translation
from django.utils.translation import gettext

from notifications_app import lanes, preferences
from notifications_app.channels import registry
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, ChannelState
from notifications_app.states import NotificationKind
from scheduler_app.clock import db_now
from tests.integration.api.conftest import make_notification

pytestmark = pytest.mark.django_db

CHANNELS = "/api/v1/notifications/channels"


def test_list_has_every_channel_and_the_queue(plain, olga):
    make_notification(olga, channel="EMAIL")
    answer = plain.get(CHANNELS).json()
    assert [one["channel"] for one in answer["results"]] == list(registry.names())
    assert {one["channel"]: one["pending"] for one in answer["results"] if one["pending"]} == {
        "EMAIL": 1
    }
    assert (answer["queue"]["mode"], answer["queue"]["backlog"]) == ("database", 1)


def test_list_tells_what_is_not_set_up(plain):
    problems = {one["channel"]: one["problem"] for one in plain.get(CHANNELS).json()["results"]}
    assert problems["SYSTEM"] == ""
    assert problems["EMAIL"]


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("disable", "enabled", False),
        ("enable", "enabled", True),
        ("hold", "held", True),
        ("release", "held", False),
    ],
)
def test_switch_is_turned(staff, action, field, value):
    answer = staff.post(f"{CHANNELS}/WECHAT/{action}")
    assert answer.json()[field] is value
    assert getattr(ChannelState.objects.get(pk="WECHAT"), field) is value


def test_held_channel_is_paused(staff):
    assert staff.post(f"{CHANNELS}/SMS/hold").json()["is_paused"]
    assert not staff.post(f"{CHANNELS}/SMS/release").json()["is_paused"]


def test_resumed_channel_is_not_paused_by_its_gateway_any_more(staff):
    lanes.pause(Lane("SMS"), 600, "slow down", db_now())
    answer = staff.post(f"{CHANNELS}/SMS/resume").json()
    assert (answer["is_paused"], answer["paused_until"]) == (False, None)


def test_test_message_goes_to_oneself(staff, boss):
    answer = staff.post(f"{CHANNELS}/SYSTEM/test")
    row = AlertNotification.objects.get()
    assert (answer.status_code, row.recipient, row.kind) == (202, boss, NotificationKind.TEST)
    assert staff.get(answer["Location"]).json()["notification_id"] == row.pk


def test_anybody_sends_a_test_to_themselves_in_their_language(plain, olga):
    preferences.save(olga, {"language": "zh-hans"})
    assert plain.post(f"{CHANNELS}/SYSTEM/test").status_code == 202
    row = AlertNotification.objects.get()
    with translation.override("zh-hans"):
        title = gettext("Test message by %(channel)s") % {"channel": "SYSTEM"}
    assert (row.recipient, row.alert.title) == (olga, title)


@pytest.mark.parametrize("action", ["enable", "disable", "hold", "release", "resume", "test"])
def test_unknown_channel_is_404(staff, action):
    assert staff.post(f"{CHANNELS}/FAX/{action}").status_code == 404
    assert not ChannelState.objects.filter(pk="FAX").exists()
