from __future__ import annotations

import pytest

from notifications_app.channels.email.replies import Stage
from notifications_app.channels.email.replies import error_for as mail_error
from notifications_app.channels.sms.aliyun_codes import error_for as sms_error
from notifications_app.channels.wechat.errcodes import error_for as wechat_error
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
)


@pytest.mark.parametrize(
    ("stage", "code", "said", "kind"),
    [
        (Stage.RECIPIENT, 450, "4.2.0 greylisted", DeliveryError),
        (Stage.RECIPIENT, 452, "4.2.2 mailbox full", DeliveryError),
        (Stage.RECIPIENT, 552, "5.2.2 over quota", DeliveryError),
        (Stage.MESSAGE, 550, "5.4.4 unable to route", DeliveryError),
        (Stage.GREETING, 421, "4.3.2 shutting down", DeliveryError),
        (Stage.LOGIN, 454, "4.7.0 temporary authentication failure", DeliveryError),
        (Stage.RECIPIENT, 550, "5.1.1 no such user", PermanentError),
        (Stage.RECIPIENT, 559, "invalid recipient", PermanentError),
        (Stage.MESSAGE, 554, "5.6.0 not acceptable", PermanentError),
        (Stage.LOGIN, 535, "5.7.8 bad credentials", ConfigurationError),
        (Stage.SENDER, 530, "5.7.0 authentication required", ConfigurationError),
        (Stage.SENDER, 553, "sender is not the account", ConfigurationError),
        (Stage.SENDER, 436, "sender is not the account", ConfigurationError),
        (Stage.RECIPIENT, 550, "5.7.8 log in first", ConfigurationError),
        (Stage.GREETING, 554, "no service here", ConfigurationError),
        (Stage.GREETING, 550, "Ip frequency limited", ThrottledError),
        (Stage.RECIPIENT, 550, "Mailbox unavailable or access denied", ThrottledError),
        (Stage.MESSAGE, 554, "Reject by behaviour spam, too frequently sending", ThrottledError),
        (Stage.MESSAGE, 552, "Daily sending quota exceeded", ThrottledError),
        (Stage.GREETING, 421, "HL:ICC 163 smtp", ThrottledError),
        (Stage.MESSAGE, 451, "MI:SFQ 163 smtp", ThrottledError),
    ],
)
def test_reply_of_a_mail_server_has_its_class(stage, code, said, kind):
    error = mail_error(stage, code, said)
    assert type(error) is kind
    assert error.code == str(code)
    assert said in str(error)


def test_quota_of_a_day_is_waited_for_longer_than_a_limit_of_connections():
    of_a_day = mail_error(Stage.MESSAGE, 552, "Daily sending quota exceeded")
    of_connections = mail_error(Stage.GREETING, 421, "HL:ICC")
    assert isinstance(of_a_day, ThrottledError)
    assert isinstance(of_connections, ThrottledError)
    assert (of_a_day.retry_after_s, of_connections.retry_after_s) == (3600, 60)


@pytest.mark.parametrize(
    ("errcode", "kind"),
    [
        (-1, DeliveryError),
        (6000, DeliveryError),
        (45033, DeliveryError),
        (45009, ThrottledError),
        (93000, ConfigurationError),
        (40001, ConfigurationError),
        (60020, ConfigurationError),
        (40058, PermanentError),
        (40008, PermanentError),
        (81013, PermanentError),
        (123456, DeliveryError),
    ],
)
def test_errcode_of_wechat_has_its_class(errcode, kind):
    error = wechat_error(errcode, "hint: [1]", "{}")
    assert type(error) is kind
    assert f"(errcode {errcode}: hint: [1])" in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("isv.DAY_LIMIT_CONTROL", ThrottledError),
        ("Throttling.User", ThrottledError),
        ("isv.BUSINESS_LIMIT_CONTROL", DeliveryError),
        ("isp.SYSTEM_ERROR", DeliveryError),
        ("isv.SOMETHING_NEW", DeliveryError),
        ("isv.MOBILE_NUMBER_ILLEGAL", PermanentError),
        ("isv.PARAM_NOT_SUPPORT_URL", PermanentError),
        ("isv.SMS_SIGNATURE_ILLEGAL", ConfigurationError),
        ("isv.AMOUNT_NOT_ENOUGH", ConfigurationError),
        ("InvalidAccessKeyId.NotFound", ConfigurationError),
    ],
)
def test_code_of_aliyun_has_its_class(code, kind):
    error = sms_error(code, "said", "{}")
    assert type(error) is kind
    assert (error.code, str(error)) == (code, f"Aliyun refused: {code}: said")
