from __future__ import annotations

import pytest

from notifications_app.channels.email.replies import error_for as mail_error
from notifications_app.channels.email.reply_rules import Stage
from notifications_app.channels.sms.aliyun_codes import error_for as sms_error
from notifications_app.channels.wechat.errcodes import error_for as wechat_error
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    PolicyError,
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


EVERY_STAGE = [
    # Postfix
    ("504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", ConfigurationError),
    ("450 4.7.1 <vm>: Helo command rejected: Host not found", ConfigurationError),
    ("554 5.7.1 <x[10.0.0.1]>: Client host rejected: Access denied", ConfigurationError),
    ("550 5.7.25 Client host rejected: cannot find your hostname, [10.0.0.1]", ConfigurationError),
    ("553 5.7.1 <a@b.c>: Sender address rejected: not owned by user a", ConfigurationError),
    ("550 5.7.1 <a@b.c>: Sender address rejected: not authorized to send", ConfigurationError),
    ("550 5.7.1 Not authorized to send from this address", ConfigurationError),
    ("450 4.1.8 <a@b.c>: Sender address rejected: Domain not found", ConfigurationError),
    ("530 5.7.0 Must issue a STARTTLS command first", ConfigurationError),
    ("450 4.7.1 <a@b.c>: Recipient address rejected: Greylisted, see http://p.org", DeliveryError),
    ("451 4.7.1 Greylisting in action, please come back later", DeliveryError),
    # QQ, Exmail, 163, Aliyun
    ("553 Mail from must equal authorized user", ConfigurationError),
    ("501 mail from address must be same as authorization user", ConfigurationError),
    ("535 Error: authentication failed", ConfigurationError),
    ("550 User in blacklist", ConfigurationError),
    ("554 IP is rejected, smtp auth error limit exceed", ConfigurationError),
    ("553 authentication is required", ConfigurationError),
    ("550 MI:SPF mx14,QMCowAD", ConfigurationError),
    ("550 Domain frequency limited", ThrottledError),
    ("554 HL:IFC 163 smtp10", ThrottledError),
    ("554 MI:STC 163 smtp10", ThrottledError),
    # Exchange and Microsoft 365
    (
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        ConfigurationError,
    ),
    ("550 5.7.64 TenantAttribution; Relay Access Denied", ConfigurationError),
    ("550 5.7.708 Service unavailable. Access denied, traffic not accepted", ConfigurationError),
    ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication", ConfigurationError),
    ("550 5.7.57 Client not authenticated to send mail", ConfigurationError),
    ("550 5.7.509 Access denied, sending domain does not pass DMARC", ConfigurationError),
    ("550 5.1.8 Access denied, bad outbound sender", ConfigurationError),
    (
        "550 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using Spamhaus",
        ConfigurationError,
    ),
    ("432 4.3.2 Concurrent connections limit exceeded", ThrottledError),
    ("550 5.1.90 Your message can't be sent: daily limit", ThrottledError),
    # Gmail
    ("421 4.7.0 Try again later, closing connection.", ThrottledError),
    ("550 5.7.26 This mail is unauthenticated: SPF and DKIM did not pass", ConfigurationError),
    ("534 5.7.9 Application-specific password required", ConfigurationError),
    ("550 5.4.5 Daily user sending quota exceeded", ThrottledError),
]
TO_A_RECIPIENT = [
    # relaying is refused for a domain, spam for a message: others may go, and this one is no person's fault
    ("554 5.7.1 <a@b.c>: Relay access denied", PolicyError),
    ("550 5.7.1 Unable to relay", PolicyError),
    ("550 relay not permitted", PolicyError),
    ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", PolicyError),
    ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", PolicyError),
    ("554 DT:SPM 163 smtp10", PolicyError),
    ("550 5.7.1 Message rejected", PolicyError),
    ("554 Transaction failed", PolicyError),
    ("550 Administrative prohibition", PolicyError),
    ("550 Mail from your IP address is refused", PolicyError),
    ("550 Your account may not send to this domain", PolicyError),
    ("550 5.0.0 Access denied", PolicyError),
    ("504 Command parameter not implemented", ConfigurationError),
    # the recipient's own
    ("550 5.1.1 <a@b.c>: Recipient address rejected: User unknown", PermanentError),
    ("550 5.4.1 Recipient address rejected: Access denied", PermanentError),
    ("554 5.7.1 <a@b.c>: Recipient address rejected: Access denied", PermanentError),
    ("550 5.2.1 The email account that you tried to reach is disabled", PermanentError),
    ("550 5.5.0 Requested action not taken: mailbox unavailable", PermanentError),
    ("550 No such user here", PermanentError),
    ("550 Invalid User", PermanentError),
    ("550 sorry, no mailbox here by that name (#5.1.1)", PermanentError),
    ("550 收件人不存在", PermanentError),
    ("501 5.1.3 Bad recipient address syntax", PermanentError),
    ("552 5.3.4 Message size exceeds fixed limit", PermanentError),
    ("550 5.1.1 <spam@blacklist.example>: User unknown", PermanentError),
    ("452 4.2.2 The email account is over quota", DeliveryError),
    ("552 5.2.2 The email account is over quota", DeliveryError),
    ("450 4.2.1 The user is receiving mail too quickly", DeliveryError),
    ("451 4.7.1 Try again later", DeliveryError),
    ("452 4.3.1 Insufficient system storage", DeliveryError),
]


@pytest.mark.parametrize("stage", [Stage.SENDER, Stage.RECIPIENT, Stage.MESSAGE])
@pytest.mark.parametrize(("reply", "kind"), EVERY_STAGE)
def test_reply_about_us_has_the_same_class_at_every_command(stage, reply, kind):
    error = mail_error(stage, int(reply[:3]), reply[4:])
    assert type(error) is kind
    assert error.answer == reply


@pytest.mark.parametrize("stage", [Stage.RECIPIENT, Stage.MESSAGE])
@pytest.mark.parametrize(("reply", "kind"), TO_A_RECIPIENT)
def test_reply_about_a_recipient_or_a_message_has_its_class(stage, reply, kind):
    assert type(mail_error(stage, int(reply[:3]), reply[4:])) is kind


@pytest.mark.parametrize("stage", [Stage.GREETING, Stage.LOGIN, Stage.SENDER])
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.2.1 Mailbox disabled",
        "550 5.1.0 Rejected",
        "554 5.7.1 Not here",
        "554 no service",
        "550 User suspended",
    ],
)
def test_nothing_is_charged_to_a_recipient_who_was_not_named_yet(stage, reply):
    assert type(mail_error(stage, int(reply[:3]), reply[4:])) is ConfigurationError


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
