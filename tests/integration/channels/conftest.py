"""A gateway, mail servers and certificates for the tests of channels."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from notifications_app.channels.email.channel import EmailChannel
from notifications_app.channels.sms.channel import SmsChannel
from notifications_app.channels.wechat.channel import WechatChannel
from tests.gateways import Gateway, SmtpSink


@pytest.fixture
def gateway():
    with Gateway() as one:
        yield one


@pytest.fixture
def wechat(gateway):
    return WechatChannel({"ENABLED": True, "WEBHOOK_URL": gateway.robot})


@pytest.fixture
def sms(gateway):
    return SmsChannel(
        {
            "ENABLED": True,
            "ACCESS_KEY_ID": "test-key-id",
            "ACCESS_KEY_SECRET": "test-key-secret",
            "SIGN_NAME": "守望",
            "TEMPLATE_CODE": "SMS_100",
            "ENDPOINT": gateway.url,
        }
    )


@pytest.fixture(scope="session")
def authority():
    """A certificate authority of our own."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority, tmp_path_factory):
    path = Path(tmp_path_factory.mktemp("ca")) / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def server_tls(authority):
    """What a server on 127.0.0.1 needs to be trusted by those who trust `authority`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def sink():
    with SmtpSink() as one:
        yield one


@pytest.fixture
def email_to():
    """`email_to(sink, **options)`: the channel that hands its mail in at `sink`; closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(sink: SmtpSink, **options):
            fixed = {"ENABLED": True, "SMTP_SERVER": sink.host, "SMTP_PORT": sink.port}
            channel = EmailChannel({**fixed, "FROM": "Vigil <vigil@example.com>", **options})
            stack.callback(channel.close)
            return channel

        yield make


@pytest.fixture
def tarpit_port():
    """A server that sends a byte every tenth of a second and never comes to the end of a line."""
    over = threading.Event()

    def serve(listener):
        with listener.accept()[0] as client, contextlib.suppress(OSError):
            while not over.wait(0.1):
                client.sendall(b"2")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


@pytest.fixture
def resolving(monkeypatch):
    """`resolving(name=[addresses])`: what the resolver says of `name`.example.com."""
    known: dict[str, list[str]] = {}
    really = socket.getaddrinfo

    def answer(host, port, *args, **kwargs):
        if host not in known:
            return really(host, port, *args, **kwargs)
        found = []
        for address in known[host]:
            found += really(address, port, 0, socket.SOCK_STREAM)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return lambda **names: known.update({f"{one}.example.com": names[one] for one in names})
