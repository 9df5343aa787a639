"""The SMS gateway that is described by settings."""

from __future__ import annotations

import pytest

from notifications_app.channels.sms.channel import SmsChannel
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.messages import message

CODES = {
    "CODE": "result.0.code",
    "ACCEPTED": [0],
    "THROTTLED": [429],
    "PERMANENT": ["BAD_NUMBER"],
    "CONFIGURATION": [1001],
}


@pytest.fixture
def make(gateway):
    """`make(**HTTP)`: a channel whose gateway is described like that."""

    def make(**http):
        shape = {"URL": f"{gateway.url}/send", **http}
        return SmsChannel({"ENABLED": True, "GATEWAY": "http", "HTTP": shape})

    return make


def test_words_are_put_into_texts_and_nowhere_else(gateway, make):
    body = {"to": ["${mobile}"], "text": "[${label}] ${title}", "ref": "${id}", "fixed": 7}
    one = message(subject='x", "to": ["13900139000"]} ${mobile} $id', label="ERROR")
    assert make(JSON=body).send([one])[0].error is None
    (post,) = gateway.posts
    assert post.json() == {
        "to": ["13800138000"],
        "text": '[ERROR] x", "to": ["13900139000"]} ${mobil…',
        "ref": one.id,
        "fixed": 7,
    }


def test_form_and_query_are_encoded(gateway, make):
    make(FORM={"m": "${mobile}", "c": "夜&x=1"}).send([message()])
    make(QUERY={"m": "${mobile}", "c": "夜&x=1"}).send([message()])
    assert gateway.posts[0].body == b"m=13800138000&c=%E5%A4%9C%26x%3D1"
    assert gateway.posts[1].query == {"m": "13800138000", "c": "夜&x=1"}


def test_headers_are_sent_and_never_shown(gateway, make):
    gateway.answer("wrong: Bearer sms-token-1", status=403)
    channel = make(HEADERS={"Authorization": "Bearer sms-token-1"}, JSON={"to": "${mobile}"})
    (outcome,) = channel.send([message()])
    assert gateway.posts[0].headers["authorization"] == "Bearer sms-token-1"
    assert "sms-token-1" not in f"{outcome.error} {outcome.error.answer}"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, type(None)),
        ("0", type(None)),
        (429, ThrottledError),
        ("BAD_NUMBER", PermanentError),
        (1001, ConfigurationError),
        (77, DeliveryError),
    ],
)
def test_code_in_the_body_decides(gateway, make, code, kind):
    gateway.answer({"result": [{"code": code}]})
    (outcome,) = make(JSON={"to": "${mobile}"}, **CODES).send([message()])
    assert type(outcome.error) is kind
    assert (outcome.error.code if outcome.error else outcome.code) == str(code)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"body": "<html>"}, UnknownOutcomeError),
        ({"body": {"result": []}}, UnknownOutcomeError),
        ({"body": {"result": [{"code": 0}]}, "status": 500}, UnknownOutcomeError),
        ({"body": "busy", "status": 502}, UnknownOutcomeError),
        ({"body": "no", "status": 403}, ConfigurationError),
        ({"body": "no", "status": 404}, ConfigurationError),
        ({"drop": True}, UnknownOutcomeError),
    ],
)
def test_answer_without_a_code_is_no_success(gateway, make, answer, kind):
    gateway.answer(**answer)
    (outcome,) = make(JSON={"to": "${mobile}"}, **CODES).send([message()])
    assert type(outcome.error) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, type(None)),
        (403, ConfigurationError),
        (500, UnknownOutcomeError),
        (429, ThrottledError),
    ],
)
def test_without_a_code_the_status_decides(gateway, make, status, kind):
    gateway.answer("", status=status)
    (outcome,) = make(FORM={"to": "${mobile}"}).send([message()])
    assert type(outcome.error) is kind


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ({"JSON": {}, "URL": "sms.example.com"}, "its URL is none"),
        ({}, "write one of JSON, FORM and QUERY"),
        ({"JSON": {}, "FORM": {}}, "write one of JSON, FORM and QUERY"),
        ({"JSON": "x"}, "write one of JSON, FORM and QUERY"),
        ({"JSON": {"a": ["${titel}"]}}, "there is no word ${titel}"),
        ({"JSON": {}, "CODE": "code"}, "it needs ACCEPTED"),
        ({"JSON": {}, "HEADER": {}}, "unknown key HEADER"),
        ({"JSON": {"a": "${title}"}}, ""),
    ],
)
def test_wrong_description_is_told(make, http, said):
    problem = make(**http).problem()
    assert said in problem
    assert bool(problem) == bool(said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"GATEWAY": "tencent"}, "write one of aliyun, http"),
        ({"TEMPLATE_PARAMS": {"name": "subject"}}, "TEMPLATE_PARAMS[name: subject] names none of"),
        ({"TEMPLATE_PARAMS": {"a b": "title"}}, "TEMPLATE_PARAMS[a b: title]"),
        ({"TEMPLATE_PARAMS": "title"}, "TEMPLATE_PARAMS is not a dict"),
        ({"DAILY_CAP": "many"}, "DAILY_CAP is not a whole number"),
        ({"DAILY_CAP_PER_PERSON": -1}, "DAILY_CAP_PER_PERSON is not a whole number"),
        ({"DAILY_CAP": 0, "TEMPLATE_PARAMS": {"name": "title", "level": "severity"}}, ""),
    ],
)
def test_wrong_setting_of_the_channel_is_told(options, said):
    keys = {"ACCESS_KEY_ID": "i", "ACCESS_KEY_SECRET": "s", "SIGN_NAME": "V", "TEMPLATE_CODE": "S"}
    problem = SmsChannel({"ENABLED": True, **keys, **options}).problem()
    assert said in problem
    assert bool(problem) == bool(said)


def test_caps_hold_unless_they_are_changed():
    usual, changed = SmsChannel({}).daily_caps, SmsChannel({"DAILY_CAP": 0}).daily_caps
    assert (usual.per_person, usual.total) == (20, 500)
    assert (changed.per_person, changed.total) == (20, 0)
