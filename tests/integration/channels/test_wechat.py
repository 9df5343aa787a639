from __future__ import annotations

import json

import pytest

from notifications_app.channels.wechat import post
from notifications_app.channels.wechat.channel import WechatChannel
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import WECHAT_KEY
from tests.messages import message, person


def test_one_post_tells_all_people_of_one_alert(gateway, wechat):
    messages = [message(), message(to=person(wechat_userid="liulei", mobile=""))]
    outcomes = wechat.send(messages)
    assert [(one.message_id, one.error, one.code) for one in outcomes] == [
        (one.id, None, "0") for one in messages
    ]
    assert [post.json()["text"]["mentioned_list"] for post in gateway.posts] == [
        ["wangwei", "liulei"]
    ]
    assert gateway.posts[0].query == {"key": WECHAT_KEY}


def test_messages_of_two_alerts_are_two_posts(gateway, wechat):
    wechat.send([message(group="1:FIRE"), message(group="2:FIRE"), message(group="1:FIRE")])
    assert len(gateway.posts) == 2


@pytest.mark.parametrize("text", ["<@all> is told", "<@wangwei> is told", "<<@all>"])
def test_text_of_an_alert_mentions_nobody(gateway, wechat, text):
    wechat.send([message(text=text, to=person(wechat_userid="", mobile="13900139000"))])
    posted = gateway.posts[0].json()["text"]
    assert "<@" not in posted["content"]
    assert posted.keys() == {"content", "mentioned_mobile_list"}


def test_success_of_http_with_a_refusal_in_the_body_is_a_refusal(gateway, wechat):
    gateway.answer({"errcode": 93000, "errmsg": "invalid webhook url"})
    (outcome,) = wechat.send([message()])
    assert type(outcome.error) is ConfigurationError
    assert outcome.error.code == "93000"
    assert "invalid webhook url" in outcome.error.answer


def test_refusal_counts_for_everybody_of_the_post(gateway, wechat):
    gateway.answer({"errcode": 45009, "errmsg": "api freq out of limit"})
    errors = [one.error for one in wechat.send([message(), message()])]
    assert all(isinstance(one, ThrottledError) and one.retry_after_s == 60 for one in errors)


@pytest.mark.parametrize(
    "body", ["<html>login</html>", "", "[]", {"errmsg": "ok"}, {"errcode": "0"}, {"errcode": False}]
)
def test_answer_without_an_errcode_is_no_success(gateway, wechat, body):
    gateway.answer(body)
    (outcome,) = wechat.send([message()])
    assert type(outcome.error) is UnknownOutcomeError


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (500, {}, DeliveryError),
        (502, {}, DeliveryError),
        (404, {}, ConfigurationError),
        (429, {"Retry-After": "7"}, ThrottledError),
    ],
)
def test_status_of_a_proxy_has_its_class(gateway, wechat, status, headers, kind):
    gateway.answer("<html>busy</html>", status=status, headers=headers)
    (outcome,) = wechat.send([message()])
    assert type(outcome.error) is kind
    assert getattr(outcome.error, "retry_after_s", 7) == 7


def test_errcode_0_with_a_status_of_failure_is_no_success(gateway, wechat):
    gateway.answer({"errcode": 0}, status=500)
    (outcome,) = wechat.send([message()])
    assert type(outcome.error) is DeliveryError


def test_text_that_is_called_too_long_is_shortened_once(gateway, wechat):
    gateway.answer({"errcode": 40058, "errmsg": "exceed max length"}, times=1)
    (outcome,) = wechat.send([message(text="夜" * 2000)])
    sizes = [len(post.json()["text"]["content"].encode()) for post in gateway.posts]
    assert outcome.error is None
    assert [size <= limit for size, limit in zip(sizes, (2048, 1024), strict=True)] == [True, True]


def test_text_that_is_always_too_long_ends(gateway, wechat):
    gateway.answer({"errcode": 40058, "errmsg": "exceed max length"})
    (outcome,) = wechat.send([message()])
    assert type(outcome.error) is PermanentError
    assert len(gateway.posts) == 2


def test_time_out_after_the_post_left_is_an_unknown_outcome(gateway, wechat, settings):
    settings.VIGIL_NOTIFICATIONS = {"SEND_DEADLINE_S": 1.2}
    gateway.answer(delay_s=30)
    (outcome,) = wechat.send([message()])
    assert type(outcome.error) is UnknownOutcomeError
    assert 1000 < outcome.gateway_ms < 3000


def test_nobody_listening_is_transient(free_port):
    channel = WechatChannel({"WEBHOOK_URL": f"http://127.0.0.1:{free_port}/send?key={WECHAT_KEY}"})
    (outcome,) = channel.send([message()])
    assert type(outcome.error) is DeliveryError
    assert WECHAT_KEY not in str(outcome.error)


def test_key_shows_nowhere(gateway, wechat):
    gateway.answer({"errcode": 93000, "errmsg": f"unknown key {WECHAT_KEY}, see {WECHAT_KEY}"})
    (outcome,) = wechat.send([message()])
    assert outcome.error is not None
    assert WECHAT_KEY not in f"{outcome.error} {outcome.error.answer}"


LI_LEI = person(wechat_userid=" ", mobile="", name="Li Lei")


def test_person_without_id_and_mobile_is_told_by_the_group(wechat):
    assert wechat.address(LI_LEI) == "the group"
    assert wechat.without_mention(LI_LEI) == (
        "posted to the group without a mention: no WeChat Work id or mobile"
    )
    assert wechat.without_mention(person()) == ""


@pytest.mark.parametrize("format", ["text", "markdown", "card"])
def test_one_post_mentions_those_with_an_id_and_names_the_others(gateway, wechat, format):
    channel = WechatChannel({**wechat.options, "FORMAT": format})
    others = [LI_LEI, person(wechat_userid="", mobile="", name="<@all> Han")]
    outcomes = channel.send([message(), *(message(to=one) for one in others)])
    assert [one.error for one in outcomes] == [None] * 3
    (post,) = gateway.posts
    said = json.dumps(post.json(), ensure_ascii=False)
    assert "Li Lei" in said
    assert "<@all>" not in said
    if format == "text":
        assert post.json()["text"]["mentioned_list"] == ["wangwei"]
        assert post.json()["text"]["content"].endswith(
            "\nFor: Li Lei, ＜@all> Han\nhttps://vigil.example.com/alerts/7/"
        )
    if format == "markdown":
        assert post.json()["markdown"]["content"].endswith("＜@all> Han\n<@wangwei>")


def test_post_for_people_without_any_id_mentions_no_one(gateway, wechat):
    wechat.send([message(to=LI_LEI)])
    assert gateway.posts[0].json()["text"].keys() == {"content"}


@pytest.mark.parametrize("shorter", [False, True])
def test_names_of_many_people_leave_the_limit_and_the_link(shorter):
    many = [person(wechat_userid="", mobile="", name="张" * 40 + str(n)) for n in range(90)]
    made = post.compose([message(text="夜" * 2000, to=one) for one in many], shorter=shorter)
    content = made["text"]["content"]
    assert len(content.encode()) <= (1024 if shorter else 2048)
    assert content.splitlines()[-1] == "https://vigil.example.com/alerts/7/"
    assert content.splitlines()[-2].startswith("For: 张")


@pytest.mark.parametrize(
    ("userid", "mobile", "address"),
    [("wangwei", "138", "wangwei"), ("@all", "+86 13800138000", "13800138000")],
)
def test_address_is_the_id_or_else_the_mobile(wechat, userid, mobile, address):
    assert wechat.address(person(wechat_userid=userid, mobile=mobile)) == address


def routed(gateway, **options):
    other = f"{gateway.url}/cgi-bin/webhook/send?key=another-robot-1"
    routes = [{"category": "payments", "robot": "pay", "format": "card"}]
    return WechatChannel(
        {
            "ENABLED": True, "WEBHOOK_URL": gateway.robot,
            "ROBOTS": {"pay": other}, "ROUTES": routes, **options,
        }
    )  # fmt: skip


def test_alert_goes_to_the_robot_of_its_route_in_the_routes_format(gateway):
    channel = routed(gateway)
    outcomes = channel.send([message(), message(group="8:FIRE", category="payments")])
    assert [one.error for one in outcomes] == [None, None]
    posts = {post.query["key"]: post.json()["msgtype"] for post in gateway.posts}
    assert posts == {WECHAT_KEY: "text", "another-robot-1": "template_card"}


def test_key_of_no_robot_shows(gateway):
    gateway.answer({"errcode": 93000, "errmsg": f"{WECHAT_KEY} another-robot-1"})
    channel = routed(gateway)
    for outcome in channel.send([message(), message(group="8:FIRE", category="payments")]):
        said = f"{outcome.error} {outcome.error.answer} {channel.lane('', message().topic)}"
        assert WECHAT_KEY not in said
        assert "another-robot-1" not in said


def test_markdown_is_one_post_that_mentions_all(gateway, wechat):
    channel = WechatChannel({**wechat.options, "FORMAT": "markdown"})
    channel.send([message(), message(to=person(wechat_userid="liulei"))])
    (post,) = gateway.posts
    content = post.json()["markdown"]["content"]
    assert content.startswith('<font color="warning">**[ERROR] Nightly backup failed**</font>')
    assert content.endswith("<@wangwei><@liulei>")


@pytest.mark.parametrize("format", ["markdown", "card"])
def test_post_that_is_called_too_long_is_sent_once_more_as_a_short_text(gateway, wechat, format):
    gateway.answer({"errcode": 40058, "errmsg": "exceed max length"}, times=1)
    channel = WechatChannel({**wechat.options, "FORMAT": format})
    assert channel.send([message(text="夜" * 2000)])[0].error is None
    kinds = [post.json()["msgtype"] for post in gateway.posts]
    assert kinds == [{"card": "template_card"}.get(format, format), "text"]
    assert len(gateway.posts[1].json()["text"]["content"].encode()) <= 1024
