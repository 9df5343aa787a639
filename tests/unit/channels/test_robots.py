from __future__ import annotations

import pytest

from notifications_app.channels.base import Topic
from notifications_app.channels.wechat.channel import WechatChannel
from notifications_app.channels.wechat.robots import Format, Routes

URL = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="
ROBOTS = {name: f"{URL}key-of-{name}" for name in ("pay", "pay2", "ops")}
ROUTES = [
    {"severity": ["ERROR", "CRITICAL"], "owner": "olga", "robot": "ops", "format": "card"},
    {"category": "pay*", "robot": ["pay", "pay2"]},
    {"labels": {"job_id": "night?", "team": "*"}, "robot": "pay"},
]
OPTIONS = {
    "ENABLED": True,
    "WEBHOOK_URL": f"{URL}key-of-all",
    "ROBOTS": ROBOTS,
    "ROUTES": ROUTES,
    "FORMAT": "markdown",
}


def robot_of(**topic) -> str:
    said = Topic(**topic)
    return Routes(OPTIONS).of(said).robot(said).key.removeprefix("key-of-")


@pytest.mark.parametrize(
    ("topic", "robot"),
    [
        ({}, "all"),
        ({"severity": "ERROR", "owner": "olga"}, "ops"),
        ({"severity": "WARNING", "owner": "olga"}, "all"),
        ({"severity": "ERROR", "owner": "otto"}, "all"),
        ({"labels": {"job_id": "night1", "team": "x"}}, "pay"),
        ({"labels": {"job_id": "night12", "team": "x"}}, "all"),
        ({"labels": {"job_id": "night1"}}, "pay"),
        ({"category": "Payments"}, "all"),
    ],
)
def test_first_route_that_fits_names_the_robot(topic, robot):
    assert robot_of(**topic) == robot


def test_robots_of_one_route_share_its_alerts_and_each_alert_keeps_its_own():
    found = [robot_of(category="payments", thread=str(n)) for n in range(40)]
    assert set(found) == {"pay", "pay2"}
    assert found == [robot_of(category="payments", thread=str(n)) for n in range(40)]


def test_route_may_have_a_format_of_its_own():
    routes = Routes(OPTIONS)
    assert routes.of(Topic(severity="ERROR", owner="olga")).format is Format.CARD
    assert routes.of(Topic()).format is Format.MARKDOWN


def test_lane_is_the_robot_and_hides_its_key():
    channel = WechatChannel(OPTIONS)
    lanes = {
        channel.lane("wangwei"),
        channel.lane("lilei"),
        channel.lane("wangwei", Topic(severity="ERROR", owner="olga")),
    }
    assert len(lanes) == 2
    assert not any("key-of" in lane for lane in lanes)
    assert channel.rate_limit == "20/minute"
    assert WechatChannel({**OPTIONS, "RATE_LIMIT": "18/minute"}).rate_limit == "18/minute"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FORMAT": "html"}, "WECHAT_FORMAT is not understood"),
        ({"ROBOTS": {"pay": "key-of-pay"}}, "ROBOTS['pay'] is not the whole URL"),
        ({"ROUTES": [{"robot": "nobody"}]}, "ROUTES, entry 1: ROBOTS has no 'nobody'"),
        ({"ROUTES": [*ROUTES, {"category": "x"}]}, "entry 4: it names no robot"),
        ({"ROUTES": [{"kategory": "x", "robot": "pay"}]}, "entry 1: unknown key kategory"),
        ({"ROUTES": ["pay"]}, "entry 1: it is not a dict"),
        ({"ROUTES": [{"robot": "pay", "format": "html"}]}, "entry 1: its format is none"),
    ],
)
def test_wrong_route_is_told_without_a_key_and_posts_go_to_the_usual_robot(changes, said):
    channel = WechatChannel({**OPTIONS, **changes})
    assert said in channel.problem()
    assert "key-of" not in channel.problem()
    assert channel.lane("", Topic(category="x")) == channel.lane("")
