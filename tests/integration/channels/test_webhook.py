from __future__ import annotations

import base64
import gzip
import json
import ssl
import time
from datetime import UTC, datetime
from http.server import HTTPServer
from types import SimpleNamespace

import pytest
import trustme
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notifications_app import http_client
from notifications_app.channels.webhook import signature
from notifications_app.channels.webhook.channel import WebhookChannel, shown
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    MissingAddressError,
    PermanentError,
    RefusedAddressError,
    ThrottledError,
    UnknownOutcomeError,
)
from tests.gateways import Gateway
from tests.messages import message, person

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.fixture(autouse=True)
def here_is_allowed(settings):
    """The gateways of the tests listen on this machine."""
    settings.VIGIL_NOTIFICATIONS = {
        "PRIVATE_NETWORKS": ["127.0.0.1"],
        "SITE_URL": "https://vigil.example.com",
    }


@pytest.fixture
def nothing_is_allowed(settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": "https://vigil.example.com"}


def channel(url="", **options):
    return WebhookChannel({"ENABLED": True, "URL": url, "SECRET": SECRET, **options})


def to(url, **changes):
    """A message to somebody with a webhook of their own."""
    return message(to=person(webhook_url=url), **changes)


def error_of(url):
    return channel().send([to(url)])[0].error


def test_receiver_can_verify_what_it_gets(gateway):
    (outcome,) = channel(f"{gateway.url}/hook?a=b").send([message(labels={"job_id": "nightly"})])
    (post,) = gateway.posts
    said = Webhook(SECRET).verify(post.body, dict(post.headers))
    assert (outcome.error, outcome.code) == (None, "HTTP 200")
    assert (said["type"], said["timestamp"]) == ("alert.fired", "2026-11-24T02:30:00+00:00")
    assert said["data"]["alert"] == "7"
    assert said["data"]["labels"] == {"job_id": "nightly"}
    assert said["data"]["recipients"] == ["Wang Wei"]
    assert (post.path, post.query) == ("/hook", {"a": "b"})


def test_signature_is_that_of_the_specification(monkeypatch):
    """The example of the specification's own test suite."""
    at = datetime.fromtimestamp(1614265330, UTC)
    monkeypatch.setattr(signature, "datetime", SimpleNamespace(now=lambda zone: at))
    headers = signature.headers_for(
        b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", [SECRET]
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_changed_body_is_found_out(gateway):
    channel(gateway.url).send([message()])
    (post,) = gateway.posts
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(post.body.replace(b"ERROR", b"INFO "), dict(post.headers))


def test_while_receivers_change_over_both_secrets_sign(gateway):
    channel(gateway.url, SECRET=f"{SECRET} {OLD_SECRET}").send([message()])
    (post,) = gateway.posts
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(post.body, dict(post.headers))


def test_second_try_has_the_same_id_and_a_new_time(gateway):
    one = message()
    channel(gateway.url).send([one])
    channel(gateway.url).send([one, message(group="8:FIRE")])
    ids = [post.headers["webhook-id"] for post in gateway.posts]
    assert ids[0] == ids[1] != ids[2]
    assert "." not in ids[0]


def test_people_of_one_alert_share_a_post_of_the_site_and_have_their_own_elsewhere(gateway):
    own = f"{gateway.url}/own"
    messages = [message(), message(to=person(name="Li Lei")), to(own)]
    outcomes = channel(f"{gateway.url}/site").send(messages)
    assert sorted(one.message_id for one in outcomes) == sorted(one.id for one in messages)
    posts = {post.path: post.json()["data"]["recipients"] for post in gateway.posts}
    assert posts == {"/site": ["Wang Wei", "Li Lei"], "/own": ["Wang Wei"]}


def test_webhook_of_a_person_is_signed_with_a_secret_of_its_own(gateway):
    url = f"{gateway.url}/own"
    channel().send([to(url)])
    (post,) = gateway.posts
    Webhook(signature.of_person(SECRET, url)).verify(post.body, dict(post.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(post.body, dict(post.headers))
    assert signature.of_person(SECRET, f"{url}2") != signature.of_person(SECRET, url)
    assert signature.is_secret(signature.of_person(SECRET, url))


def test_body_stays_below_20_kb_whatever_an_alert_holds(gateway):
    labels = {f"label-{n}": "夜" * 100 for n in range(200)}
    huge = message(labels=labels, body="🌙" * 20_000, title="t" * 200)
    assert channel(gateway.url).send([huge])[0].error is None
    (post,) = gateway.posts
    assert len(post.body) < 20_000
    assert json.loads(post.body)["data"]["labels"] == {}


# whose fault it is


@pytest.mark.parametrize(
    ("status", "of_site", "of_person"),
    [
        (200, type(None), type(None)),
        (204, type(None), type(None)),
        (302, ConfigurationError, PermanentError),
        (404, ConfigurationError, PermanentError),
        (410, ConfigurationError, PermanentError),
        (401, ConfigurationError, PermanentError),
        (403, ConfigurationError, PermanentError),
        (500, DeliveryError, DeliveryError),
        (429, ThrottledError, ThrottledError),
    ],
)
def test_status_is_the_verdict_and_a_persons_url_does_not_break_the_channel(
    gateway, status, of_site, of_person
):
    gateway.answer("", status=status, headers={"Location": f"{gateway.url}/other"})
    url = f"{gateway.url}/secret-path-1"
    for one, kind in ((message(), of_site), (to(url), of_person)):
        (outcome,) = channel(f"{gateway.url}/secret-path-2").send([one])
        assert type(outcome.error) is kind
        assert "secret-path" not in str(outcome.error)
    assert len(gateway.posts) == 2


def test_receiver_may_say_how_long_to_wait(gateway):
    gateway.answer("", status=429, headers={"Retry-After": "17"})
    error = error_of(gateway.url)
    assert isinstance(error, ThrottledError)
    assert error.retry_after_s == 17


def test_nobody_listening_is_transient(free_port):
    assert type(error_of(f"http://127.0.0.1:{free_port}/secret-path-1")) is DeliveryError


@pytest.mark.parametrize("how", [{"drop": True}, {"delay_s": 30}])
def test_no_verdict_is_an_unknown_outcome(gateway, how, settings):
    settings.VIGIL_NOTIFICATIONS = {"PRIVATE_NETWORKS": ["127.0.0.1"], "SEND_DEADLINE_S": 1.2}
    gateway.answer(**how)
    assert type(error_of(gateway.url)) is UnknownOutcomeError


# what a receiver may do to us


def test_body_that_drips_is_left_in_time(gateway, settings):
    settings.VIGIL_NOTIFICATIONS = {"PRIVATE_NETWORKS": ["127.0.0.1"], "SEND_DEADLINE_S": 1.2}
    gateway.answer("x" * 1000, drip_s=0.1)
    began_s = time.monotonic()
    assert type(error_of(gateway.url)) is UnknownOutcomeError
    assert time.monotonic() - began_s < 3


def test_of_a_huge_body_64_kib_are_read(gateway):
    gateway.answer("x" * 5_000_000)
    (outcome,) = channel(gateway.url).send([message()])
    assert outcome.error is None
    assert len(outcome.answer) == 65_536


def test_body_is_not_unpacked(gateway):
    bomb = gzip.compress(b"0" * 50_000_000)
    gateway.answer(bomb, headers={"Content-Encoding": "gzip"})
    (outcome,) = channel(gateway.url).send([message()])
    assert outcome.error is None
    assert len(outcome.answer) <= 65_536


# what a person may not reach by us

INSIDE = (
    *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/"),
    *("http://[::ffff:127.0.0.1]:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/"),
    *("http://0x7f.0.0.1:{port}/", "http://0.0.0.0:{port}/", "http://me:pw@127.0.0.1:{port}/"),
    *("http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.100.100.200/"),
    *(
        "http://169.254.169.254/latest/meta-data/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fd00::1]/",
    ),
    *("http://[2002:7f00:1::]/", "http://224.0.0.1/", "http://[fe80::1]/", "http://198.18.0.1/"),
)


@pytest.mark.parametrize("url", INSIDE)
@pytest.mark.usefixtures("nothing_is_allowed")
def test_network_of_the_site_is_not_reached(gateway, url):
    port = gateway.url.rpartition(":")[2]
    assert type(error_of(url.format(port=port))) is RefusedAddressError
    assert gateway.posts == []


@pytest.mark.usefixtures("nothing_is_allowed")
def test_url_of_the_site_itself_needs_leave_too_and_is_a_wrong_setting(gateway):
    (outcome,) = channel(gateway.url).send([message()])
    assert type(outcome.error) is ConfigurationError
    assert "PRIVATE_NETWORKS" in str(outcome.error)
    assert gateway.posts == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.usefixtures("nothing_is_allowed")
def test_name_that_leads_inside_is_not_reached(gateway, resolving, address):
    resolving(hooks=[address])
    port = gateway.url.rpartition(":")[2]
    assert type(error_of(f"http://hooks.example.com:{port}/")) is RefusedAddressError
    assert gateway.posts == []


@pytest.mark.usefixtures("nothing_is_allowed")
def test_name_that_also_leads_inside_is_not_reached_there(gateway, resolving):
    """Judged is each address that is dialled, not the first one that a look at the name gives."""
    resolving(hooks=["127.0.0.1", "::1", "10.0.0.1"])
    port = gateway.url.rpartition(":")[2]
    assert type(error_of(f"http://hooks.example.com:{port}/")) is RefusedAddressError
    assert gateway.posts == []


def test_redirect_into_the_network_is_not_followed(gateway):
    with Gateway() as inside:
        gateway.answer("", status=307, headers={"Location": inside.url})
        assert isinstance(error_of(gateway.url), PermanentError)
        assert inside.posts == []


@pytest.mark.usefixtures("nothing_is_allowed")
def test_proxy_of_the_environment_is_no_way_around(gateway, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", gateway.url)
    assert isinstance(error_of("http://10.0.0.1/"), RefusedAddressError)
    assert gateway.posts == []


def test_guard_ends_with_the_post(gateway, settings):
    settings.VIGIL_NOTIFICATIONS = {"PRIVATE_NETWORKS": []}
    assert isinstance(error_of(gateway.url), RefusedAddressError)
    assert http_client.post(gateway.url, timeout_s=5).status == 200


@pytest.mark.parametrize(
    "url", ["", "ftp://x.example.com/", "file:///etc/passwd", "hooks", "http://", "gopher://x"]
)
def test_what_is_no_url_of_the_web_is_the_persons_fault(url):
    assert isinstance(error_of(url), PermanentError)


def test_certificate_is_checked_for_the_name_and_not_for_the_address(resolving, monkeypatch):
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(http_client, "_tls", lambda: trusting)
    resolving(hooks=["127.0.0.1"], other=["127.0.0.1"])
    with tls_gateway(authority.issue_cert("hooks.example.com")) as gateway:
        port = gateway.url.rpartition(":")[2]
        assert error_of(f"https://hooks.example.com:{port}/") is None
        assert type(error_of(f"https://other.example.com:{port}/")) is DeliveryError
        assert [post.headers["host"] for post in gateway.posts] == [f"hooks.example.com:{port}"]


def tls_gateway(certificate: trustme.LeafCert) -> Gateway:
    gateway = Gateway()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    server: HTTPServer = gateway._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # the client that does not trust it
    return gateway


# addresses and settings


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://hooks.example.com/services/T0/B0/xyz?key=1#f", "https://hooks.example.com/…"),
        ("https://me:pw@hooks.example.com:8443/x", "https://hooks.example.com:8443/…"),
        ("http://[fd00::7]:80/x", "http://[fd00::7]:80/…"),
        ("https://[half", "…"),
        ("https://x.y:99999/", "…"),
    ],
)
def test_of_a_url_scheme_and_host_are_seen(url, seen):
    assert shown(url) == seen


def test_lane_is_the_host():
    one = channel("https://site.example.com/x")
    own = person(webhook_url="https://Hooks.example.com:8443/y")
    assert one.lane(one.address(own)) == "hooks.example.com"
    assert one.lane(one.address(person())) == "site.example.com"


def test_person_without_a_webhook_gets_that_of_the_site_if_there_is_one():
    with pytest.raises(MissingAddressError, match="no webhook URL set for Wang Wei"):
        channel().address(person())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "WEBHOOK is not configured: set WEBHOOK_SECRET"),
        ({"SECRET": "hunter2"}, "WEBHOOK_SECRET is not a secret"),
        ({"SECRET": "whsec_c2hvcnQ="}, "WEBHOOK_SECRET is not a secret"),
        ({"SECRET": f"{SECRET} other"}, "WEBHOOK_SECRET is not a secret"),
        ({"SECRET": SECRET, "URL": "hooks.example.com"}, "WEBHOOK_URL is not a URL"),
        ({"SECRET": SECRET}, ""),
    ],
)
def test_wrong_setting_is_told_without_the_secret(options, said):
    problem = WebhookChannel({"ENABLED": True, **options}).problem()
    assert problem.startswith(said)
    assert bool(problem) == bool(said)
    assert "hunter2" not in problem
