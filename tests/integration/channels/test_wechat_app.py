from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from notifications_app.channels.wechat_app import tokens
from notifications_app.channels.wechat_app.channel import WechatAppChannel
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import Reply, WechatWork
from tests.messages import message, person


@pytest.fixture
def work(gateway):
    gateway.reply = WechatWork()
    return gateway.reply


@pytest.fixture
def make(gateway):
    """`make(**options)`: a channel as each worker has one."""
    fixed = {"CORP_ID": "ww1", "AGENT_ID": "1000002", "SECRET": WechatWork.SECRET}
    return lambda **more: WechatAppChannel(
        {"ENABLED": True, **fixed, "API_URL": gateway.url, **more}
    )


@pytest.fixture(autouse=True)
def forgetful():
    """Call it, and the next channel has tokens of its own, as those of another process have."""
    yield tokens.tokens_of.cache_clear
    tokens.tokens_of.cache_clear()


def called(name, *, language="en"):
    return person(name=name, wechat_userid=name.lower(), language=language)


def test_one_message_reaches_all_people_of_one_alert(work, make):
    messages = [message(to=called(name)) for name in ("Olga", "Otto", "Olga")]
    outcomes = make().send(messages)
    assert [(one.message_id, one.error, one.code) for one in outcomes] == [
        (one.id, None, "0") for one in messages
    ]
    (sent,) = work.messages
    assert (sent["touser"], sent["agentid"], sent["msgtype"]) == ("olga|otto", 1000002, "text")
    assert sent["enable_duplicate_check"] == 1
    assert "mentioned_list" not in sent["text"]


def test_people_who_read_something_else_get_a_message_of_their_own(work, make):
    make().send([message(), message(text="磁盘已满"), message(group="8:FIRE")])
    assert len(work.messages) == 3


@pytest.mark.parametrize("key", ["invaliduser", "unlicenseduser"])
def test_whoever_is_left_out_has_a_verdict_of_their_own(work, make, key):
    work.answer = {"errcode": 0, "errmsg": "ok", key: "OTTO|nobody"}
    outcomes = make().send([message(to=called(name)) for name in ("Olga", "Otto", "Lei")])
    assert [type(one.error) for one in outcomes] == [type(None), PermanentError, type(None)]


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (81013, PermanentError),
        (60020, ConfigurationError),
        (45009, ThrottledError),
        (-1, DeliveryError),
        (123456, DeliveryError),
    ],
)
def test_refusal_has_its_class_for_everybody(work, make, errcode, kind):
    work.answer = {"errcode": errcode, "errmsg": "no, hint: [1700000000_1_abc]"}
    outcomes = make().send([message(to=called(name)) for name in ("Olga", "Otto")])
    assert [type(one.error) for one in outcomes] == [kind, kind]
    assert "hint: [1700000000_1_abc]" in outcomes[0].error.answer


def test_token_is_kept_over_messages_and_shared_by_all_instances(work, make):
    make().send([message()])
    make().send([message()])
    assert len(work.messages) == 2
    assert len(work.tokens) == 1


def test_eight_threads_that_need_a_token_at_once_ask_for_one(work, make):
    work.delay_s = 0.2
    channel = make()
    outcomes = at_once(8, lambda: channel.send([message()])[0])
    assert [one.error for one in outcomes] == [None] * 8
    assert len(work.tokens) == 1


def test_eight_threads_whose_token_is_refused_renew_it_once(work, make):
    channel = make()
    channel.send([message()])
    work.revoke()
    work.delay_s = 0.2
    outcomes = at_once(8, lambda: channel.send([message()])[0])
    assert [one.error for one in outcomes] == [None] * 8
    assert len(work.tokens) == 2
    assert len(work.messages) == 9


@pytest.mark.parametrize("errcode", [40014, 42001, 41001])
def test_token_that_is_always_refused_is_renewed_once_and_then_a_wrong_setting(
    gateway, work, make, errcode
):
    refused = Reply({"errcode": errcode, "errmsg": "no"})
    gateway.reply = lambda post: work(post) if post.path.endswith("gettoken") else refused
    (outcome,) = make().send([message()])
    assert type(outcome.error) is ConfigurationError
    assert len(work.tokens) == 2


def test_wrong_secret_is_asked_for_once_in_a_while(gateway, work, make):
    channel = make(SECRET="another-secret")
    errors = [one.error for n in range(5) for one in channel.send([message(group=str(n))])]
    assert [type(one) for one in errors] == [ConfigurationError] * 5
    assert [post.path for post in gateway.posts] == ["/cgi-bin/gettoken"]


@pytest.mark.parametrize(
    "answer", [{"body": "<html>"}, {"drop": True}, {"body": {"errcode": 0, "access_token": ""}}]
)
def test_gateway_that_gives_no_token_has_sent_nothing(gateway, make, answer):
    gateway.answer(**answer)
    (outcome,) = make().send([message()])
    assert isinstance(outcome.error, DeliveryError)
    assert not isinstance(outcome.error, UnknownOutcomeError | ConfigurationError)


def test_no_secret_shows_in_what_is_kept(work, make):
    work.answer = {"errcode": 40003, "errmsg": f"no {WechatWork.SECRET}"}
    (outcome,) = make().send([message()])
    kept = f"{outcome.error} {outcome.error.answer}"
    assert WechatWork.SECRET not in kept
    assert work.tokens[0] not in kept


def test_person_needs_an_id(make):
    with pytest.raises(MissingAddressError, match="no WeChat Work user id set for Li Lei"):
        make().address(person(name="Li Lei", wechat_userid=""))


@pytest.mark.parametrize(("format", "kind"), [("markdown", "markdown"), ("card", "template_card")])
def test_message_may_be_a_markdown_or_a_card(work, make, format, kind):
    evil = message(body="<@all> [a](http://x.y)\n# b", title="<@all>", label="ERROR")
    make(FORMAT=format).send([evil])
    (sent,) = work.messages
    assert sent["msgtype"] == kind
    assert "<@" not in str(sent[kind])


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_message_is_cut_before_the_gateway_does_it(work, make, format):
    make(FORMAT=format).send([message(text="🌙" * 3000, body="🌙" * 3000)])
    content = work.messages[0][format]["content"]
    assert len(content.encode()) <= 2048
    assert "https://vigil.example.com/alerts/7/" in content


@pytest.mark.usefixtures("in_redis")
def test_workers_share_a_token_through_redis(work, make, forgetful):
    for _worker in range(3):
        forgetful()
        assert make().send([message()])[0].error is None
    assert len(work.tokens) == 1


@pytest.mark.usefixtures("in_redis")
def test_workers_that_need_a_token_at_once_ask_for_one(work, make, forgetful):
    work.delay_s = 0.3
    channels = []
    for _worker in range(4):
        forgetful()
        channels.append(make())
    outcomes = at_once(4, *(partial(one.send, [message()]) for one in channels))
    assert [one.error for found in outcomes for one in found] == [None] * 4
    assert len(work.tokens) == 1


@pytest.mark.usefixtures("in_redis")
def test_token_that_one_worker_renewed_is_taken_by_the_others(work, make, forgetful):
    first = make()
    first.send([message()])
    forgetful()
    second = make()
    second.send([message()])
    work.revoke()
    first.send([message()])
    assert second.send([message()])[0].error is None
    assert len(work.tokens) == 2


def test_redis_that_is_gone_costs_no_message(work, make, settings, free_port):
    use_redis(settings, f"redis://127.0.0.1:{free_port}/0")
    assert make().send([message()])[0].error is None


@pytest.fixture
def in_redis(settings, redis_url):
    use_redis(settings, redis_url)


def use_redis(settings, url):
    backend = "django_redis.cache.RedisCache"
    options = {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1}
    queue = {"BACKEND": backend, "LOCATION": url, "OPTIONS": options}
    settings.CACHES = {**settings.CACHES, "vigil_queue": queue}


def at_once(count, *calls):
    """What each call returns; one call stands for `count` equal ones."""
    calls = calls * count if len(calls) == 1 else calls
    barrier = threading.Barrier(count)

    def wait_and(call):
        barrier.wait(5)
        return call()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and, calls))
