from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app.channels.wechat.channel import TEXT_LIMIT_BYTES, WechatChannel, fit
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import Gateway, Reply
from tests.integration.channels.messages import OLGA, message
from tests.servers import find_free_port

OTTO = replace(OLGA, key="user:2", name="Otto", wechat_userid="", mobile="13900139000")


@pytest.fixture
def gateway():
    with Gateway() as one:
        yield one


def channel_to(url: str) -> WechatChannel:
    return WechatChannel({"ENABLED": True, "WEBHOOK_URL": url})


def test_one_post_mentions_all_its_people(gateway):
    outcomes = channel_to(gateway.robot).send([message(OLGA, 1), message(OTTO, 2)])
    assert [outcome.error for outcome in outcomes] == [None, None]
    (post,) = gateway.posts
    assert post.json()["msgtype"] == "text"
    assert post.json()["text"]["mentioned_list"] == ["olga"]
    assert post.json()["text"]["mentioned_mobile_list"] == ["13900139000"]
    assert "Nightly failed" in post.json()["text"]["content"]


def test_text_of_an_alert_mentions_nobody(gateway):
    channel_to(gateway.robot).send([message(text="hey <@all> and <@boss>")])
    text = gateway.posts[0].json()["text"]
    assert "<@" not in text["content"]
    assert text["mentioned_list"] == ["olga"]


def test_userid_that_would_mention_all_mentions_nobody(gateway):
    channel_to(gateway.robot).send([message(replace(OLGA, wechat_userid="@all"))])
    assert gateway.posts[0].json()["text"]["mentioned_list"] == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"errcode": 93000, "errmsg": "invalid webhook url"}), ConfigurationError),
        (Reply({"errcode": 45009, "errmsg": "api freq out of limit"}), ThrottledError),
        (Reply({"errcode": 40058, "errmsg": "too long"}), PermanentError),
        (Reply({"errcode": -1, "errmsg": "busy"}), DeliveryError),
        (Reply({"errcode": 12345, "errmsg": "new"}), DeliveryError),
        (Reply("<html>gateway</html>"), UnknownOutcomeError),
        (Reply({"errmsg": "no code"}), UnknownOutcomeError),
        (Reply("", status=502), DeliveryError),
        (Reply("", status=429, headers={"Retry-After": "7"}), ThrottledError),
        (Reply(drop=True), UnknownOutcomeError),
    ],
)
def test_verdict_is_read_from_the_answer(gateway, reply, kind):
    gateway.reply = reply
    (outcome,) = channel_to(gateway.robot).send([message()])
    assert type(outcome.error) is kind


def test_retry_after_is_obeyed(gateway):
    gateway.reply = Reply("", status=429, headers={"Retry-After": "7"})
    (outcome,) = channel_to(gateway.robot).send([message()])
    assert isinstance(outcome.error, ThrottledError)
    assert outcome.error.retry_after_s == 7


def test_gateway_that_never_answers_is_left_at_the_deadline(gateway, settings):
    settings.VIGIL_NOTIFICATIONS = {**settings.VIGIL_NOTIFICATIONS, "SEND_DEADLINE_S": 0.2}
    gateway.reply = Reply(delay_s=1.0)
    (outcome,) = channel_to(gateway.robot).send([message()])
    assert isinstance(outcome.error, UnknownOutcomeError)


def test_gateway_that_is_not_there_may_be_tried_again():
    url = f"http://127.0.0.1:{find_free_port()}/send?key=abc"
    (outcome,) = channel_to(url).send([message()])
    assert type(outcome.error) is DeliveryError


def test_key_shows_nowhere(gateway):
    gateway.reply = Reply({"errcode": 93000, "errmsg": f"bad url {gateway.robot}"})
    (outcome,) = channel_to(gateway.robot).send([message()])
    shown = f"{outcome} {outcome.error} {outcome.error.answer}"
    assert "693a91f6-secret-key" not in shown


@given(st.text(max_size=3000), st.sampled_from(["", "https://vigil.example/runs/123456/"]))
def test_text_fits_and_no_character_is_broken(text, link):
    cut = fit(text * 3, link)
    assert len(cut.encode()) <= TEXT_LIMIT_BYTES
    assert "\ufffd" not in cut or "\ufffd" in text
    assert cut == text * 3 or cut.endswith(link)


@pytest.mark.parametrize("shift", range(4))
def test_long_chinese_text_is_cut_between_characters(gateway, shift):
    channel_to(gateway.robot).send([message(text="x" * shift + "磁盘已满💥" * 500)])
    content = gateway.posts[0].json()["text"]["content"]
    assert len(content.encode()) <= TEXT_LIMIT_BYTES
    assert "\ufffd" not in content
    assert content.endswith("https://vigil.example/runs/7/")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ENABLED": False, "WEBHOOK_URL": "http://x/?key=1"}, "set WECHAT_ENABLED=true"),
        ({"ENABLED": True, "WEBHOOK_URL": ""}, "the robot's whole address"),
        ({"ENABLED": True, "WEBHOOK_URL": "693a91f6-7xxx"}, "the robot's whole address"),
        ({"ENABLED": True, "WEBHOOK_URL": "https://qyapi.weixin.qq.com/send"}, "whole address"),
    ],
)
def test_what_is_missing_is_said_with_what_to_set(options, words):
    assert words in WechatChannel(options).problem()


def test_person_without_any_id_is_named():
    with pytest.raises(MissingAddressError, match="set for Olga"):
        channel_to("http://x/?key=1").address(replace(OLGA, wechat_userid="", mobile=""))
