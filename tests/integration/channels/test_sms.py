from __future__ import annotations

import json

import pytest

from notifications_app.channels.sms.channel import SmsChannel
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    UnknownOutcomeError,
)
from tests.gateways import ALIYUN_KEYS, is_signed
from tests.messages import message, person


def test_message_arrives_signed_and_with_its_id(gateway, sms):
    one = message(subject="备份 ~失败~ *'()! +1&b=2%", to=person(mobile="+86 138-0013-8000"))
    (outcome,) = sms.send([one])
    (post,) = gateway.posts
    assert (outcome.error, outcome.code) == (None, "OK")
    assert is_signed(post)
    assert json.loads(post.query.pop("TemplateParam")) == {"title": one.subject}
    assert post.query == {
        "PhoneNumbers": "13800138000",
        "SignName": "守望",
        "TemplateCode": "SMS_100",
        "OutId": one.id,
    }


def test_gateway_of_the_tests_sees_a_wrong_signature(gateway, sms, monkeypatch):
    monkeypatch.setitem(ALIYUN_KEYS, "test-key-id", "another-secret")
    (outcome,) = sms.send([message()])
    assert type(outcome.error) is ConfigurationError
    assert outcome.error.code == "SignatureDoesNotMatch"


def test_two_posts_of_one_message_have_two_nonces(gateway, sms):
    one = message()
    sms.send([one, one])
    assert len({post.headers["x-acs-signature-nonce"] for post in gateway.posts}) == 2


@pytest.mark.parametrize("status", [200, 400])
def test_code_of_the_body_decides_whatever_the_status(gateway, sms, status):
    gateway.answer({"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": "号码错误"}, status=status)
    (outcome,) = sms.send([message()])
    assert type(outcome.error) is PermanentError
    assert str(outcome.error) == "Aliyun refused: isv.MOBILE_NUMBER_ILLEGAL: 号码错误"


@pytest.mark.parametrize(
    "how",
    [
        {"body": "<html>"},
        {"body": {"Message": "OK"}},
        {"body": "<html>", "status": 502},
        {"drop": True},
    ],
)
def test_no_verdict_is_never_sent_again(gateway, sms, how):
    gateway.answer(**how)
    (outcome,) = sms.send([message()])
    assert type(outcome.error) is UnknownOutcomeError
    assert len(gateway.posts) == 1
    assert SmsChannel.resends_unknown is False


def test_nobody_listening_is_transient(free_port):
    (outcome,) = SmsChannel({"ENDPOINT": f"http://127.0.0.1:{free_port}"}).send([message()])
    assert type(outcome.error) is DeliveryError


def test_key_that_is_no_ascii_is_a_wrong_setting(gateway):
    channel = SmsChannel({"ENDPOINT": gateway.url, "ACCESS_KEY_ID": "钥匙"})
    (outcome,) = channel.send([message()])
    assert type(outcome.error) is ConfigurationError


def test_wrong_number_is_permanent_and_asks_nobody(gateway, sms):
    (outcome,) = sms.send([message(to=person(mobile="call me"))])
    assert type(outcome.error) is PermanentError
    assert gateway.posts == []


def test_one_bad_number_does_not_stop_the_others(gateway, sms):
    outcomes = sms.send([message(to=person(mobile="none")), message()])
    assert [outcome.error is None for outcome in outcomes] == [False, True]


def test_secret_shows_nowhere(gateway, sms):
    gateway.answer({"Code": "isp.SYSTEM_ERROR", "Message": "with test-key-secret"})
    (outcome,) = sms.send([message()])
    assert outcome.error is not None
    assert "test-key-secret" not in f"{outcome.error} {outcome.error.answer}"


def test_person_without_a_mobile_cannot_be_told(sms):
    with pytest.raises(MissingAddressError, match="no mobile set for Wang Wei"):
        sms.address(person(mobile=" "))
