"""E-mail by a backend of Django, as sites have one for their other mail."""

from __future__ import annotations

import threading

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend

from notifications_app.channels.email.channel import EmailChannel
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    PermanentError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import SmtpSink
from tests.messages import message, person

SMTP = "django.core.mail.backends.smtp.EmailBackend"
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


class Broken(BaseEmailBackend):
    """Does what `outcome` says."""

    outcome: object = 0

    def send_messages(self, messages):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


BROKEN = f"{__name__}.Broken"


@pytest.fixture
def channel(sink):
    one = EmailChannel(
        {
            "ENABLED": True,
            "FROM": "Vigil <vigil@example.com>",
            "BACKEND": SMTP,
            "BACKEND_OPTIONS": {"host": sink.host, "port": sink.port},
        }
    )
    yield one
    one.close()


def of(backend, **options):
    return EmailChannel(
        {"ENABLED": True, "FROM": "Vigil <vigil@example.com>", "BACKEND": backend, **options}
    )


def error_of(channel, one=None):
    return channel.send([one or message()])[0].error


def test_same_mail_goes_out_by_the_backend(sink, channel, email_to, settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": "https://vigil.example.com"}
    one = message(subject="磁盘已满", to=person(name="王伟"))
    channel.send([one])
    email_to(sink).send([one])
    theirs, ours = (sent.message for sent in sink.mails)
    names = (
        *("From", "To", "Subject", "Message-ID", "References", "In-Reply-To", "Auto-Submitted"),
        *("List-Unsubscribe", "List-Unsubscribe-Post"),
    )
    assert [theirs[name].strip() for name in names] == [ours[name].strip() for name in names]
    for kind in ("plain", "html"):
        bodies = [sent.get_body((kind,)).get_content().strip() for sent in (theirs, ours)]
        assert bodies[0] == bodies[1]


def test_backend_of_memory_is_enough(settings):
    (outcome,) = of(LOCMEM).send([message()])
    assert outcome.error is None
    assert [one.to for one in mail.outbox] == [["Wang Wei <wang@example.com>"]]
    assert mail.outbox[0].alternatives[0][1] == "text/html"


def test_connection_is_kept_for_the_next_thread(sink, channel):
    channel.send([message(), message()])
    other = threading.Thread(target=channel.send, args=([message()],))
    other.start()
    other.join()
    assert [one.connection for one in sink.mails] == [1, 1, 1]


def test_connection_that_the_server_ended_costs_no_message(sink, channel):
    channel.send([message()])
    sink.hang_up()
    assert error_of(channel) is None
    assert [one.connection for one in sink.mails] == [1, 2]


@pytest.mark.parametrize(("options", "last"), [({"MAX_MESSAGES": 2}, 2), ({"MAX_AGE_S": 0}, 3)])
def test_connection_is_renewed(sink, channel, options, last):
    renewing = EmailChannel({**channel.options, **options})
    renewing.send([message(), message(), message()])
    renewing.close()
    assert sink.mails[-1].connection == last


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("550 5.1.1 no such user", PermanentError),
        ("450 4.2.1 later", DeliveryError),
        ("550 Ip frequency limited", ThrottledError),
    ],
)
def test_refused_recipient_has_its_class_and_harms_nobody_else(sink, channel, reply, kind):
    sink.replies["gone@example.com"] = reply
    gone = message(to=person(email="gone@example.com"))
    outcomes = channel.send([message(), gone, message()])
    assert [type(one.error) for one in outcomes] == [type(None), kind, type(None)]
    assert outcomes[1].error.code == reply[:3]


def test_refused_message_has_its_class(sink, channel):
    sink.data_reply = "554 5.6.0 not acceptable"
    assert type(error_of(channel)) is PermanentError


def test_connection_lost_after_the_message_is_an_unknown_outcome(sink, channel):
    sink.drop_after_data = True
    assert type(error_of(channel)) is UnknownOutcomeError


def test_wrong_password_is_a_wrong_setting(server_tls):
    with SmtpSink(users={"vigil": "pass-word-1"}) as sink:
        options = {"host": sink.host, "port": sink.port, "username": "vigil", "password": "no-pass"}
        channel = of(SMTP, BACKEND_OPTIONS=options)
        assert type(error_of(channel)) is ConfigurationError
        channel.close()


def test_options_that_the_backend_does_not_take_are_a_wrong_setting():
    channel = of(SMTP, BACKEND_OPTIONS={"use_tls": True, "use_ssl": True})
    assert type(error_of(channel)) is ConfigurationError


def test_nobody_listening_is_transient(free_port):
    channel = of(SMTP, BACKEND_OPTIONS={"host": "127.0.0.1", "port": free_port})
    assert type(error_of(channel)) is DeliveryError


def test_line_end_in_a_subject_begins_no_header(sink, channel):
    evil = "x\r\nBcc: spy@example.com"
    assert error_of(channel, message(subject=evil, to=person(name=evil))) is None
    assert sink.mails[0].message["Bcc"] is None
    assert len(sink.mails) == 1


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (1, type(None)),
        (None, type(None)),
        (0, DeliveryError),
        (RuntimeError("API of the provider: 500"), DeliveryError),
        (ValueError("no header"), PermanentError),
        (TimeoutError("late"), UnknownOutcomeError),
    ],
)
def test_what_a_backend_says_is_taken_as_far_as_it_goes(monkeypatch, outcome, kind):
    monkeypatch.setattr(Broken, "outcome", outcome)
    assert type(error_of(of(BROKEN))) is kind


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("nowhere.Backend", "EMAIL BACKEND names no e-mail backend of Django: nowhere.Backend"),
        ("tests.messages.message", "EMAIL BACKEND names no e-mail backend"),
        (SMTP, ""),
    ],
)
def test_wrong_backend_is_told(backend, said):
    problem = of(backend).problem()
    assert problem.startswith(said)
    assert bool(problem) == bool(said)


@pytest.mark.parametrize("options", [{"MAX_MESSAGES": "many"}, {"MAX_AGE_S": -1}])
def test_wrong_limit_is_told(options):
    (name,) = options
    assert of(SMTP, **options).problem() == f"EMAIL {name} is not a whole number"
