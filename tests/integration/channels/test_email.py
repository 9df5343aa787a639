from __future__ import annotations

import threading
import time

import pytest

from notifications_app.channels.email import connection, options, silence, wear
from notifications_app.channels.email.channel import EmailChannel
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    PolicyError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import SmtpSink
from tests.messages import message, person


def error_of(channel, *messages):
    """The error of one message, or of the first of several."""
    return channel.send(list(messages) or [message()])[0].error


def test_mail_has_text_and_html_and_says_where_it_belongs(sink, email_to):
    one = message(text="磁盘已满\n", html="<p>磁盘已满</p>", to=person(name="王伟"))
    (outcome,) = email_to(sink).send([one])
    (mail,) = sink.mails
    headers = mail.message
    assert (outcome.error, outcome.code) == (None, "250")
    assert (mail.sender, mail.recipient) == ("vigil@example.com", "wang@example.com")
    assert headers["Message-ID"] == f"<vigil.{one.id}@example.com>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert (headers["From"], headers["To"]) == (
        "Vigil <vigil@example.com>",
        "王伟 <wang@example.com>",
    )
    assert headers.get_body(("plain",)).get_content().splitlines() == ["磁盘已满"]
    assert headers.get_body(("html",)).get_content().splitlines() == ["<p>磁盘已满</p>"]
    assert mail.data.isascii()
    assert headers["Date"].datetime.utcoffset().total_seconds() == 0


def test_line_with_only_a_dot_does_not_end_the_mail(sink, email_to):
    email_to(sink).send([message(text="a\n.\n..b\r.\rMAIL FROM:<x@example.com>\n")])
    (mail,) = sink.mails
    lines = mail.message.get_body(("plain",)).get_content().splitlines()
    assert lines == ["a", ".", "..b", ".", "MAIL FROM:<x@example.com>"]


def test_long_names_and_subjects_come_through(sink, email_to):
    name, subject = "王伟" * 20, "磁盘已满 =?utf-8?q?x?= " * 8
    email_to(sink).send([message(subject=subject, to=person(name=name))])
    (mail,) = sink.mails
    # the standard library keeps the blank between encoded words, which mail programs drop
    assert mail.message["To"].addresses[0].display_name.replace(" ", "") == name
    assert mail.message["Subject"] == subject.strip()
    assert max(map(len, mail.data.splitlines())) < 998


def test_line_that_mail_cannot_hold_is_encoded(sink, email_to):
    email_to(sink).send([message(text="x" * 5000, html="<p>" + "y" * 5000)])
    (mail,) = sink.mails
    assert mail.message.get_body(("plain",)).get_content().strip() == "x" * 5000
    assert max(map(len, mail.data.splitlines())) < 998


def test_subject_that_looks_encoded_stays_what_it_is(sink, email_to):
    email_to(sink).send([message(subject="=?utf-8?q?Paid?=")])
    assert b"=?utf-8?q?Paid?=" not in sink.mails[0].data
    assert mail_subject(sink) == "=?utf-8?q?Paid?="


def mail_subject(sink):
    return str(sink.mails[0].message["Subject"])


def test_mails_of_one_alert_are_one_thread(sink, email_to):
    email_to(sink).send([message(), message(), message(thread="8")])
    first, second, other = (mail.message["References"] for mail in sink.mails)
    assert first == second != other
    assert sink.mails[0].message["In-Reply-To"] == first


def test_second_try_has_the_same_message_id(sink, email_to):
    one = message()
    email_to(sink).send([one, one])
    first, second = sink.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]


@pytest.mark.parametrize(
    "evil", ["x\r\nBcc: spy@example.com", "x\n\nbody", "x\x0b\x1c\x85\u2028y", "x\ud800y"]
)
def test_line_end_in_a_subject_or_name_begins_no_header(sink, email_to, evil):
    error = error_of(email_to(sink), message(subject=evil, to=person(name=evil)))
    (mail,) = sink.mails
    assert error is None
    assert mail.message["Bcc"] is None
    assert str(mail.message["Subject"]).isprintable()
    assert mail.message["To"].addresses[0].addr_spec == "wang@example.com"


BAD_ADDRESSES = (
    *("wang", "a b@example.com", "a@b\r\nRCPT TO:<c@d>", "a\x00@b"),
    *("a..b@example.com", ".a@example.com", "a@example.com."),
)


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_bad_address_is_permanent_and_opens_no_connection(sink, email_to, address):
    error = error_of(email_to(sink), message(to=person(email=address)))
    assert type(error) is PermanentError
    assert sink.connections == 0


def test_connection_is_kept_and_the_last_one_used_first(sink, email_to):
    channel = email_to(sink)
    channel.send([message()])
    channel.send([message(), message()])
    other = threading.Thread(target=channel.send, args=([message()],))
    other.start()
    other.join()
    assert [mail.connection for mail in sink.mails] == [1, 1, 1, 1]


def test_threads_that_send_at_once_have_a_connection_each(sink, email_to):
    channel, both = email_to(sink), threading.Barrier(2)

    def send() -> None:
        with channel._connection() as connection:
            both.wait(10)
            connection.open(5)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sink.connections == 2


def test_connection_is_renewed_after_many_messages(sink, email_to):
    email_to(sink, MAX_MESSAGES=2).send([message(), message(), message()])
    assert [mail.connection for mail in sink.mails] == [1, 1, 2]


def test_connection_is_renewed_when_it_was_idle_for_long(sink, email_to, monkeypatch):
    channel = email_to(sink)
    channel.send([message()])
    monkeypatch.setattr(wear, "MOST_IDLE_S", 0.0)
    channel.send([message()])
    assert [mail.connection for mail in sink.mails] == [1, 2]


def test_connection_is_renewed_when_it_is_old(sink, email_to):
    email_to(sink, MAX_AGE_S=0).send([message(), message()])
    assert [mail.connection for mail in sink.mails] == [1, 2]


def test_connection_that_the_server_ended_costs_no_message(sink, email_to):
    channel = email_to(sink)
    channel.send([message()])
    sink.hang_up()
    assert error_of(channel) is None
    assert [mail.connection for mail in sink.mails] == [1, 2]


def test_channel_works_again_after_close(sink, email_to):
    channel = email_to(sink)
    channel.send([message()])
    channel.close()
    assert error_of(channel) is None


def test_one_bad_recipient_harms_nobody_else(sink, email_to):
    sink.replies["gone@example.com"] = "550 5.1.1 no such user"
    gone = message(to=person(email="gone@example.com"))
    outcomes = email_to(sink).send([message(), gone, message()])
    assert [type(outcome.error) for outcome in outcomes] == [
        type(None),
        PermanentError,
        type(None),
    ]
    assert [mail.connection for mail in sink.mails] == [1, 1]
    assert "no such user" in str(outcomes[1].error)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("451 4.3.0 try again later", DeliveryError),
        ("554 5.6.0 not acceptable", PermanentError),
        ("552 Daily sending quota exceeded", ThrottledError),
    ],
)
def test_refusal_of_the_message_has_its_class(sink, email_to, reply, kind):
    sink.data_reply = reply
    error = error_of(email_to(sink))
    assert type(error) is kind
    assert error.code == reply[:3]


def test_connection_lost_after_the_last_dot_is_an_unknown_outcome(sink, email_to):
    sink.drop_after_data = True
    channel = email_to(sink)
    assert type(error_of(channel)) is UnknownOutcomeError
    sink.drop_after_data = False
    assert error_of(channel) is None


def test_server_that_does_not_answer_is_left_in_time(sink, email_to, settings):
    settings.VIGIL_NOTIFICATIONS = {"SEND_DEADLINE_S": 1.2}
    sink.delay_s = 30
    began_s = time.monotonic()
    error = error_of(email_to(sink))
    assert type(error) is UnknownOutcomeError
    assert "no answer within 1 s" in str(error)
    assert time.monotonic() - began_s < 3


def test_server_that_answers_byte_by_byte_is_left_in_time(tarpit_port, settings):
    settings.VIGIL_NOTIFICATIONS = {"SEND_DEADLINE_S": 1.2}
    options = {"SMTP_SERVER": "127.0.0.1", "SMTP_PORT": tarpit_port, "FROM": "vigil@example.com"}
    began_s = time.monotonic()
    assert type(error_of(EmailChannel(options))) is DeliveryError
    assert time.monotonic() - began_s < 3


def test_nobody_listening_is_transient(free_port):
    options = {"SMTP_SERVER": "127.0.0.1", "SMTP_PORT": free_port, "FROM": "vigil@example.com"}
    error = error_of(EmailChannel(options))
    assert type(error) is DeliveryError
    assert f"127.0.0.1:{free_port}" in str(error)


@pytest.mark.parametrize(
    ("ssl_only", "use_tls"), [(True, "ssl"), (False, "true"), (False, True), (False, "auto")]
)
def test_mail_travels_privately(server_tls, ca_file, email_to, ssl_only, use_tls):
    with SmtpSink(tls=server_tls, ssl_only=ssl_only) as sink:
        error = error_of(email_to(sink, USE_TLS=use_tls, CA_FILE=ca_file))
        assert error is None
        assert sink.mails[0].is_private


def test_no_starttls_where_none_is_wanted(server_tls, email_to):
    with SmtpSink(tls=server_tls) as sink:
        assert error_of(email_to(sink, USE_TLS=False)) is None
        assert not sink.mails[0].is_private


@pytest.mark.parametrize(("ssl_only", "use_tls"), [(True, "ssl"), (False, "true")])
def test_certificate_that_is_not_trusted_is_a_wrong_setting(
    server_tls, email_to, ssl_only, use_tls
):
    with SmtpSink(tls=server_tls, ssl_only=ssl_only) as sink:
        error = error_of(email_to(sink, USE_TLS=use_tls))
        assert type(error) is ConfigurationError
        assert "set EMAIL_CA_FILE" in str(error)


def test_ca_file_that_is_none_is_a_wrong_setting(sink, email_to, tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    error = error_of(email_to(sink, USE_TLS="ssl", CA_FILE=str(tmp_path / "ca.pem")))
    assert type(error) is ConfigurationError
    assert "EMAIL_CA_FILE cannot be used" in str(error)


def test_server_that_is_no_name_of_a_host_is_a_wrong_setting(sink, email_to):
    error = error_of(email_to(sink, SMTP_SERVER="smtp..example.com"))
    assert type(error) is ConfigurationError


def test_certificate_of_another_name_is_not_trusted(server_tls, ca_file, email_to):
    with SmtpSink(tls=server_tls) as sink:
        options = {"SMTP_SERVER": "localhost", "USE_TLS": "true", "CA_FILE": ca_file}
        assert type(error_of(email_to(sink, **options))) is ConfigurationError


def test_server_without_starttls_is_a_wrong_setting(sink, email_to):
    error = error_of(email_to(sink, USE_TLS="true"))
    assert type(error) is ConfigurationError
    assert "offers no STARTTLS" in str(error)


def test_server_without_tls_is_a_wrong_setting(sink, email_to):
    error = error_of(email_to(sink, USE_TLS="ssl"))
    assert type(error) is ConfigurationError


def test_login_works_over_tls(server_tls, ca_file, email_to):
    with SmtpSink(tls=server_tls, users={"vigil": "pass-word-1"}) as sink:
        options = {"USERNAME": "vigil", "PASSWORD": "pass-word-1", "CA_FILE": ca_file}
        assert error_of(email_to(sink, USE_TLS="true", **options)) is None
        assert sink.mails[0].user == "vigil"


def test_wrong_password_is_a_wrong_setting_and_is_not_shown(email_to):
    with SmtpSink(users={"vigil": "pass-word-1"}) as sink:
        error = error_of(email_to(sink, USERNAME="vigil", PASSWORD="wrong-word-2"))
        assert type(error) is ConfigurationError
        assert error.code == "535"
        assert "wrong-word-2" not in str(error)


def test_password_is_not_sent_in_the_open_to_another_machine(email_to, monkeypatch):
    # this machine's own address stands for another one
    monkeypatch.setattr(connection, "is_loopback", lambda host: False)
    with SmtpSink(users={"vigil": "pass-word-1"}) as sink:
        error = error_of(email_to(sink, USERNAME="vigil", PASSWORD="pass-word-1"))
        assert type(error) is ConfigurationError
        assert "set EMAIL_USE_TLS to true or ssl" in str(error)
        assert sink.mails == []


def test_login_that_the_server_does_not_offer_is_a_wrong_setting(sink, email_to):
    error = error_of(email_to(sink, USERNAME="vigil", PASSWORD="pass-word-1"))
    assert type(error) is ConfigurationError


HELO = "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname"


@pytest.mark.parametrize("command", ["sender_reply", "recipient_reply", "data_reply"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (HELO, ConfigurationError),
        ("550 5.7.60 SMTP; Client does not have permissions to send as", ConfigurationError),
        ("550 5.7.26 This mail is unauthenticated", ConfigurationError),
        ("501 mail from address must be same as authorization user", ConfigurationError),
        ("550 Domain frequency limited", ThrottledError),
        ("450 4.7.1 Greylisted", DeliveryError),
    ],
)
def test_server_may_refuse_us_at_any_command(sink, email_to, command, reply, kind):
    setattr(sink, command, reply)
    error = error_of(email_to(sink))
    assert (type(error), error.answer) == (kind, reply)


def test_relaying_that_is_denied_for_one_domain_harms_no_other(sink, email_to):
    sink.replies["olga@elsewhere.example"] = (
        "554 5.7.1 <olga@elsewhere.example>: Relay access denied"
    )
    far = message(to=person(email="olga@elsewhere.example"))
    outcomes = email_to(sink).send([message(), far, message()])
    assert [type(one.error) for one in outcomes] == [type(None), PolicyError, type(None)]


@pytest.mark.parametrize(
    ("machine", "option", "said"),
    [
        ("vm", "", "[127.0.0.1]"),
        ("vm.local", "", "[127.0.0.1]"),
        ("localhost.localdomain", "", "[127.0.0.1]"),
        ("my_vm!.example.com", "", "[127.0.0.1]"),
        ("vm7.example.com", "", "vm7.example.com"),
        ("vm", "alerts.example.com", "alerts.example.com"),
        ("vm7.example.com", "[192.0.2.1]", "[192.0.2.1]"),
    ],
)
def test_client_calls_itself_by_a_whole_name_or_its_address(
    sink, email_to, monkeypatch, machine, option, said
):
    monkeypatch.setattr(connection.socket, "gethostname", lambda: machine)
    assert error_of(email_to(sink, EHLO_NAME=option)) is None
    assert sink.names == [said]


def test_name_for_ehlo_that_is_none_is_a_wrong_setting(sink, email_to):
    assert "EMAIL_EHLO_NAME is not the name" in email_to(sink, EHLO_NAME="my vm").problem()


@pytest.mark.parametrize("logins", [["XOAUTH2"], ["NTLM", "GSSAPI"]])
def test_login_by_means_that_vigil_does_not_have_names_what_there_is(sink, email_to, logins):
    sink.logins = logins
    error = error_of(email_to(sink, USERNAME="vigil", PASSWORD="pass-word-1"))
    assert type(error) is ConfigurationError
    assert f"offers only the logins {', '.join(logins)}; Vigil uses" in str(error)
    assert sink.mails == []


def test_login_that_is_not_offered_says_whether_tls_would_help(server_tls, ca_file, sink, email_to):
    login = {"USERNAME": "vigil", "PASSWORD": "pass-word-1"}
    assert "set EMAIL_USE_TLS to starttls or ssl" in str(error_of(email_to(sink, **login)))
    with SmtpSink(tls=server_tls, ssl_only=True) as private:
        error = error_of(email_to(private, USE_TLS="ssl", CA_FILE=ca_file, **login))
    assert "leave EMAIL_USERNAME empty" in str(error)


@pytest.mark.parametrize("use_tls", ["false", "auto", "starttls"])
def test_server_that_begins_with_tls_is_recognised_in_time(server_tls, email_to, use_tls):
    with SmtpSink(tls=server_tls, ssl_only=True) as sink:
        began_s = time.monotonic()
        error = error_of(email_to(sink, USE_TLS=use_tls))
        assert time.monotonic() - began_s < 5
    assert type(error) is ConfigurationError
    assert f"port {sink.port}" in str(error)
    assert "set EMAIL_USE_TLS=ssl" in str(error)


def test_server_that_greets_late_is_waited_for(monkeypatch, email_to, sink):
    monkeypatch.setattr(silence, "GREETING_S", 0.0001)
    assert error_of(email_to(sink)) is None


def test_plain_server_says_how_to_reach_it(sink, email_to):
    assert "speaks plain SMTP: set EMAIL_USE_TLS=starttls" in str(
        error_of(email_to(sink, USE_TLS="ssl"))
    )


@pytest.mark.parametrize("port", [465, 994])
@pytest.mark.parametrize("word", ["auto", "true", "ssl"])
def test_ports_of_implicit_tls_are_known(port, word):
    assert options.parse({"SMTP_PORT": port, "USE_TLS": word}).tls is options.Tls.SSL


def test_domain_that_is_not_ascii_is_sent_in_punycode(sink, email_to):
    error = error_of(
        email_to(sink, FROM="Wächter <vigil@wächter.example>"),
        message(to=person(email="user@münchen.de")),
    )
    (mail,) = sink.mails
    assert (error, mail.sender) == (None, "vigil@xn--wchter-bua.example")
    assert mail.recipient == "user@xn--mnchen-3ya.de"
    assert mail.message["To"].addresses[0].addr_spec == "user@xn--mnchen-3ya.de"


def test_local_part_that_is_not_ascii_needs_smtputf8(sink, email_to):
    far = message(to=person(email="用户@例子.cn"))
    sink.takes_utf8 = True
    assert [one.error for one in email_to(sink).send([message(), far, message()])] == [None] * 3
    assert sink.mails[1].recipient == "用户@xn--fsqu00a.cn"
    assert "用户@xn--fsqu00a.cn".encode() in sink.mails[1].data
    sink.takes_utf8 = False
    error = error_of(email_to(sink), far)
    assert type(error) is PermanentError
    assert "offers no SMTPUTF8" in str(error)


def test_person_without_an_address_cannot_be_told(sink, email_to):
    with pytest.raises(MissingAddressError, match="no e-mail address set for Wang Wei"):
        email_to(sink).address(person(email=""))
