from __future__ import annotations

import json
from dataclasses import replace

import pytest

from notifications_app.channels.sms.aliyun import error_of
from notifications_app.channels.sms.channel import SmsChannel, params_of
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import Gateway, Reply, aliyun_reply
from tests.integration.channels.messages import OLGA, message

SECRET = "testsecret-of-aliyun"


@pytest.fixture
def gateway():
    with Gateway(aliyun_reply(SECRET)) as one:
        yield one


def channel_to(gateway: Gateway, **options: object) -> SmsChannel:
    return SmsChannel(
        {
            "ENABLED": True,
            "ACCESS_KEY_ID": "testid",
            "ACCESS_KEY_SECRET": SECRET,
            "SIGN_NAME": "守望",
            "TEMPLATE_CODE": "SMS_123",
            "ENDPOINT": gateway.url,
            **options,
        }
    )


def test_message_is_signed_as_aliyun_computes_it(gateway):
    (outcome,) = channel_to(gateway).send([message(subject="[错误] 备份失败 & more=~*'")])
    assert outcome.error is None
    form = gateway.posts[0].form()
    assert (form["Action"], form["Version"]) == ("SendSms", "2017-05-25")
    assert (form["PhoneNumbers"], form["SignName"]) == ("13800138000", "守望")
    assert form["OutId"] == message().id


def test_wrong_secret_is_a_matter_of_configuration(gateway):
    (outcome,) = channel_to(gateway, ACCESS_KEY_SECRET="another-secret").send([message()])
    assert isinstance(outcome.error, ConfigurationError)
    assert outcome.error.code == "SignatureDoesNotMatch"


def test_parameters_hold_no_address_and_fit():
    params = params_of(message(subject="[ERROR] see http://10.0.0.1/x at 10.0.0.2 " + "长" * 60))
    assert "http" not in params["title"]
    assert "10.0.0" not in params["title"]
    assert len(params["title"]) <= 35
    assert json.loads(json.dumps(params)) == params


@pytest.mark.parametrize(
    ("mobile", "sent"),
    [
        ("+86 138-0013-8000", "13800138000"),
        ("13800138000", "13800138000"),
        ("+1 555 0100", "15550100"),
    ],
)
def test_mobile_is_written_as_the_gateway_wants_it(gateway, mobile, sent):
    assert channel_to(gateway).address(replace(OLGA, mobile=mobile)) == sent


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply("<html>"), Reply({"Message": "?"})])
def test_no_verdict_is_an_unknown_outcome_that_is_never_sent_again(gateway, reply):
    gateway.reply = reply
    channel = channel_to(gateway)
    (outcome,) = channel.send([message()])
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert channel.resends_unknown is False


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", "", PermanentError),
        ("isv.BUSINESS_LIMIT_CONTROL", "触发分钟级流控Permits:1", ThrottledError),
        ("isv.OUT_OF_SERVICE", "", ConfigurationError),
        ("isv.SMS_SIGNATURE_ILLEGAL", "", ConfigurationError),
        ("isp.SYSTEM_ERROR", "", DeliveryError),
    ],
)
def test_codes_are_sorted_by_what_helps(code, words, kind):
    assert type(error_of(code, words, "")) is kind


@pytest.mark.parametrize(("words", "wait_s"), [("分钟", 60), ("小时", 3600), ("天", 86_400)])
def test_flow_control_names_how_long_to_wait(words, wait_s):
    error = error_of("isv.BUSINESS_LIMIT_CONTROL", f"触发{words}级流控Permits:5", "")
    assert isinstance(error, ThrottledError)
    assert error.retry_after_s == wait_s


def test_secret_shows_nowhere(gateway):
    gateway.reply = Reply({"Code": "Forbidden", "Message": f"AccessKeySecret={SECRET}"})
    (outcome,) = channel_to(gateway).send([message()])
    assert SECRET not in f"{outcome} {outcome.error} {outcome.error.answer}"


def test_what_is_missing_is_named(gateway):
    assert "SMS_ENABLED=true" in channel_to(gateway, ENABLED=False).problem()
    assert "SMS_SIGN_NAME" in channel_to(gateway, SIGN_NAME="").problem()
    assert channel_to(gateway).problem() == ""


def test_person_without_a_mobile_is_named(gateway):
    with pytest.raises(MissingAddressError, match="no mobile set for Olga"):
        channel_to(gateway).address(replace(OLGA, mobile=""))
