from __future__ import annotations

import ssl
from dataclasses import replace

import pytest
import trustme

from notifications_app.channels.email.channel import EmailChannel
from notifications_app.channels.email.replies import error_of
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import SmtpSink
from tests.integration.channels.messages import OLGA, message
from tests.servers import find_free_port


@pytest.fixture
def sink():
    with SmtpSink() as one:
        yield one


@pytest.fixture
def channel_to():
    """Make a channel to a sink; its connections end with the test."""
    made: list[EmailChannel] = []

    def channel_to(port: int, **options: object) -> EmailChannel:
        made.append(
            EmailChannel(
                {
                    "ENABLED": True,
                    "SMTP_SERVER": "127.0.0.1",
                    "SMTP_PORT": port,
                    "FROM": "Vigil <vigil@example.com>",
                    **options,
                }
            )
        )
        return made[-1]

    yield channel_to
    for channel in made:
        channel.close()


@pytest.fixture
def authority():
    return trustme.CA()


def tls_sink(authority, **options) -> SmtpSink:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return SmtpSink(context=context, **options)


def test_message_arrives_as_text_and_html_with_a_stable_id(sink, channel_to):
    (outcome,) = channel_to(sink.port).send([message()])
    assert outcome.error is None
    (mail,) = sink.messages
    assert mail["Message-ID"] == f"<vigil.{1:032x}@example.com>"
    assert mail["References"] == "<vigil.alert.7@example.com>"
    assert (mail["From"], mail["To"]) == ("Vigil <vigil@example.com>", "Olga <olga@example.com>")
    assert "boom" in mail.get_body(("plain",)).get_content()
    assert "<p>Nightly" in mail.get_body(("html",)).get_content()


def test_try_again_has_the_same_id(sink, channel_to):
    channel = channel_to(sink.port)
    channel.send([message()])
    channel.send([message()])
    assert len({mail["Message-ID"] for mail in sink.messages}) == 1


def test_connection_is_kept(sink, channel_to):
    channel_to(sink.port).send([message(number=number) for number in range(5)])
    assert (len(sink.messages), sink.connections) == (5, 1)


def test_chinese_and_emoji_arrive_whole(sink, channel_to):
    subject, text = "[错误] 夜间备份失败 💥", "磁盘已满 💥\n.\n..dots\n"
    channel_to(sink.port).send([message(subject=subject, text=text)])
    assert sink.messages[0]["Subject"] == subject
    assert sink.messages[0].get_body(("plain",)).get_content().replace("\r\n", "\n") == text


def test_newline_in_a_subject_makes_no_header(sink, channel_to):
    channel_to(sink.port).send([message(subject="hello\r\nBcc: eve@example.com")])
    assert sink.messages[0]["Bcc"] is None
    assert sink.messages[0]["Subject"] == "hello Bcc: eve@example.com"


@pytest.mark.parametrize("address", ["olga", "o@x\r\nBcc: e@x", "ольга@example.com", "a b@c.de"])
def test_bad_address_is_refused_without_a_connection(sink, channel_to, address):
    (outcome,) = channel_to(sink.port).send([message(replace(OLGA, email=address))])
    assert isinstance(outcome.error, PermanentError)
    assert sink.connections == 0


def test_one_bad_recipient_costs_nobody_else_the_mail(sink, channel_to):
    sink.replies["gone@example.com"] = "550 5.1.1 no such user"
    gone = replace(OLGA, email="gone@example.com")
    outcomes = channel_to(sink.port).send([message(gone, 1), message(OLGA, 2)])
    assert isinstance(outcomes[0].error, PermanentError)
    assert outcomes[0].error.code == "5.1.1"
    assert outcomes[1].error is None
    assert sink.recipients == ["olga@example.com"]


def test_lost_reply_after_the_message_is_an_unknown_outcome(sink, channel_to):
    sink.data_reply = ""
    (outcome,) = channel_to(sink.port).send([message()])
    assert isinstance(outcome.error, UnknownOutcomeError)


def test_server_that_is_not_there_may_be_tried_again(channel_to):
    (outcome,) = channel_to(find_free_port()).send([message()])
    assert type(outcome.error) is DeliveryError


def test_server_that_never_answers_is_left_at_the_deadline(sink, channel_to, settings):
    settings.VIGIL_NOTIFICATIONS = {**settings.VIGIL_NOTIFICATIONS, "SEND_DEADLINE_S": 0.3}
    sink.delay_s = 1.0
    (outcome,) = channel_to(sink.port).send([message()])
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert outcome.gateway_ms < 900


def test_starttls_checks_the_certificate(authority, channel_to, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with tls_sink(authority, password="wanted-word") as sink:
        login = {"USERNAME": "bot", "PASSWORD": "wanted-word", "USE_TLS": "true"}
        good = channel_to(sink.port, CA_FILE=str(tmp_path / "ca.pem"), **login)
        assert good.send([message()])[0].error is None
        (outcome,) = channel_to(sink.port, **login).send([message()])
    assert "certificate" in str(outcome.error)
    assert len(sink.messages) == 1


def test_ssl_at_once(authority, channel_to, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with tls_sink(authority, ssl_at_once=True) as sink:
        channel = channel_to(sink.port, CA_FILE=str(tmp_path / "ca.pem"), USE_TLS="ssl")
        assert channel.send([message()])[0].error is None
        channel.close()


def test_wrong_password_is_a_matter_of_configuration_and_does_not_show(channel_to):
    with SmtpSink(password="wanted-word") as sink:
        channel = channel_to(sink.port, USERNAME="bot", PASSWORD="wrong-word")
        (outcome,) = channel.send([message()])
    assert isinstance(outcome.error, ConfigurationError)
    assert "wrong-word" not in str(outcome.error)


@pytest.mark.parametrize(
    ("code", "text", "stage", "kind"),
    [
        (450, "4.2.1 busy", "recipient", DeliveryError),
        (421, "closing", "sender", DeliveryError),
        (550, "5.1.1 unknown", "recipient", PermanentError),
        (552, "5.2.2 mailbox full", "recipient", DeliveryError),
        (550, "Ip frequency limited", "sender", ThrottledError),
        (554, "Reject by behaviour spam, too frequently sending", "data", ThrottledError),
        (552, "Daily sending quota exceeded", "data", ThrottledError),
        (451, "MI:SFQ try later", "data", ThrottledError),
        (535, "5.7.8 authentication failed", "login", ConfigurationError),
        (553, "sender is not the account", "sender", ConfigurationError),
        (530, "authentication required", "sender", ConfigurationError),
        (554, "5.7.1 spam", "data", PermanentError),
    ],
)
def test_replies_are_sorted_by_what_helps(code, text, stage, kind):
    assert type(error_of(code, text, stage=stage)) is kind


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ENABLED": False}, "set EMAIL_ENABLED=true"),
        ({"FROM": ""}, "set EMAIL_FROM"),
        ({"SMTP_SERVER": "", "FROM": ""}, "set EMAIL_SMTP_SERVER and EMAIL_FROM"),
        ({"FROM": "nobody"}, "is no e-mail address"),
        ({"USE_TLS": "maybe"}, "EMAIL_USE_TLS has to be"),
        ({}, ""),
    ],
)
def test_what_is_missing_is_said_with_what_to_set(channel_to, options, words):
    problem = channel_to(25, **options).problem()
    assert words in problem
    assert bool(problem) is bool(words)


def test_person_without_an_address_is_named(channel_to):
    with pytest.raises(MissingAddressError, match="no e-mail address set for Olga"):
        channel_to(25).address(replace(OLGA, email=""))
