from __future__ import annotations

import gzip
import logging
import time

import pytest
import requests
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu

from notifications_app.channels.apprise import service
from notifications_app.channels.apprise.channel import AppriseChannel, shown
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

TOKEN = "abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def here_is_allowed(settings):
    """The gateways of the tests listen on this machine."""
    settings.VIGIL_NOTIFICATIONS = {"PRIVATE_NETWORKS": ["127.0.0.1"]}


@pytest.fixture
def json_url(gateway):
    return f"json://me:pass-word-1@{gateway.url.removeprefix('http://')}/path-secret-1"


@pytest.fixture
def dingtalk(gateway, monkeypatch):
    """The gateway plays DingTalk."""
    address = f"{gateway.url}/robot/send?access_token={{token}}"
    monkeypatch.setattr(NotifyDingTalk, "notify_url", address)
    return f"dingtalk://{TOKEN}"


@pytest.fixture
def feishu(gateway, monkeypatch):
    monkeypatch.setattr(NotifyFeishu, "notify_url", f"{gateway.url}/hook/{{token}}/")
    return f"feishu://{TOKEN}"


def channel(url=""):
    return AppriseChannel({"ENABLED": True, "URL": url})


def to(url, **changes):
    """A message to somebody with an Apprise URL of their own."""
    return message(to=person(apprise_url=url), **changes)


def error_of(url):
    return channel().send([to(url)])[0].error


@pytest.mark.parametrize("is_own", [True, False])
def test_proxy_of_the_environment_is_for_the_urls_of_the_settings(
    gateway, json_url, monkeypatch, is_own
):
    with Gateway() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        sent = to(json_url) if is_own else message()
        (outcome,) = channel("" if is_own else json_url).send([sent])
        assert outcome.error is None
        assert (len(gateway.posts), len(proxy.posts)) == ((1, 0) if is_own else (0, 1))


@pytest.mark.parametrize(
    ("severity", "kind", "type_"),
    [
        ("INFO", "fire", "info"),
        ("WARNING", "fire", "warning"),
        ("CRITICAL", "fire", "failure"),
        ("CRITICAL", "resolve", "success"),
    ],
)
def test_message_arrives_at_the_service(gateway, json_url, severity, kind, type_):
    (outcome,) = channel(json_url).send([message(severity=severity, kind=kind)])
    (post,) = gateway.posts
    said = post.json()
    assert (outcome.error, outcome.code) == (None, "HTTP 200")
    assert (said["title"], said["type"]) == ("[ERROR] Nightly backup failed", type_)
    assert said["message"] == "disk full\n\nhttps://vigil.example.com/alerts/7/\n\nFor: Wang Wei"


def test_people_of_one_alert_share_a_post_of_the_site_and_have_their_own_elsewhere(
    gateway, json_url
):
    messages = [message(), message(to=person(name="Li Lei")), to(f"{json_url}/own")]
    outcomes = channel(json_url).send(messages)
    assert sorted(one.message_id for one in outcomes) == sorted(one.id for one in messages)
    assert [post.path for post in gateway.posts] == ["/path-secret-1", "/path-secret-1/own"]


# the verdict is in the body


def test_dingtalk_takes_a_message(gateway, dingtalk):
    assert error_of(dingtalk) is None
    (post,) = gateway.posts
    assert post.query["access_token"] == TOKEN
    assert "Nightly backup failed" in post.json()["text"]["content"]


@pytest.mark.parametrize(
    ("errcode", "of_site", "of_person"),
    [
        (310000, ConfigurationError, PermanentError),
        (300001, ConfigurationError, PermanentError),
        (130101, ThrottledError, ThrottledError),
        (430104, PermanentError, PermanentError),
        (-1, DeliveryError, DeliveryError),
    ],
)
def test_dingtalk_that_answers_200_and_refuses_has_refused(
    gateway, dingtalk, errcode, of_site, of_person
):
    gateway.answer({"errcode": errcode, "errmsg": f"no {TOKEN}"})
    for one, kind in ((message(), of_site), (to(dingtalk), of_person)):
        (outcome,) = channel(dingtalk).send([one])
        assert type(outcome.error) is kind
        assert outcome.error.code == str(errcode)
        assert TOKEN not in f"{outcome.error} {outcome.error.answer}"


@pytest.mark.parametrize(
    ("code", "kind"), [(11232, ThrottledError), (9499, PermanentError), (19024, PermanentError)]
)
def test_feishu_that_refuses_has_its_class(gateway, feishu, code, kind):
    gateway.answer({"code": code, "msg": "no", "data": {}})
    assert type(error_of(feishu)) is kind


def test_feishu_takes_a_message(gateway, feishu):
    gateway.answer({"code": 0, "msg": "success", "data": {}})
    assert error_of(feishu) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, PermanentError), (403, PermanentError), (500, DeliveryError), (429, ThrottledError)],
)
def test_status_of_a_refusal_has_its_class(gateway, json_url, status, kind):
    gateway.answer("no", status=status, headers={"Retry-After": "17"})
    error = error_of(json_url)
    assert type(error) is kind
    assert getattr(error, "retry_after_s", 17) == 17


@pytest.mark.parametrize("how", [{"drop": True}, {"delay_s": 30}])
def test_no_answer_is_an_unknown_outcome(gateway, json_url, how, settings):
    settings.VIGIL_NOTIFICATIONS = {"PRIVATE_NETWORKS": ["127.0.0.1"], "SEND_DEADLINE_S": 1.5}
    gateway.answer(**how)
    began_s = time.monotonic()
    assert type(error_of(json_url)) is UnknownOutcomeError
    assert time.monotonic() - began_s < 4


def test_nobody_listening_is_transient(free_port):
    assert type(error_of(f"json://127.0.0.1:{free_port}/path-secret-1")) is DeliveryError


# what a service may do to us


def test_body_that_drips_is_left_in_time(gateway, json_url, settings):
    settings.VIGIL_NOTIFICATIONS = {"PRIVATE_NETWORKS": ["127.0.0.1"], "SEND_DEADLINE_S": 1.5}
    gateway.answer("x" * 1000, drip_s=0.1)
    began_s = time.monotonic()
    assert type(error_of(json_url)) is UnknownOutcomeError
    assert time.monotonic() - began_s < 4


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 5_000_000, {}),
        (gzip.compress(b"0" * 50_000_000), {"Content-Encoding": "gzip"}),
    ],
)
def test_of_a_huge_body_64_kib_are_read(gateway, json_url, body, headers):
    gateway.answer(body, headers=headers)
    (outcome,) = channel(json_url).send([message()])
    assert outcome.error is None
    assert len(outcome.answer) <= 65_536


def test_redirect_is_not_followed_even_where_the_url_asks_for_it(gateway, json_url):
    with Gateway() as inside:
        gateway.answer("", status=307, headers={"Location": inside.url})
        assert isinstance(error_of(f"{json_url}?redirect=yes"), PermanentError)
        assert inside.posts == []


def test_nothing_is_tried_again_or_waited_for_by_itself(gateway, json_url):
    gateway.answer("no", status=500)
    began_s = time.monotonic()
    error_of(f"{json_url}?retry=9&wait=9")
    assert len(gateway.posts) == 1
    assert time.monotonic() - began_s < 3


def test_service_that_breaks_is_an_outcome(json_url, monkeypatch, caplog):
    from apprise.plugins.custom_json import NotifyJSON

    def broken(*args, **kwargs):
        raise TypeError("path-secret-1")

    monkeypatch.setattr(NotifyJSON, "send", broken)
    error = error_of(json_url)
    assert type(error) is DeliveryError
    assert "path-secret-1" not in f"{error}{caplog.text}"


def test_requests_of_others_are_left_alone(gateway, json_url, settings):
    error_of(json_url)
    settings.VIGIL_NOTIFICATIONS = {}
    gateway.answer(b"x" * 100_000)
    assert len(requests.post(gateway.url, timeout=5).content) == 100_000


# what a person may not reach by us


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "100.100.100.200", "[::1]"]
)
@pytest.mark.parametrize("scheme", ["json", "form", "xml", "gotify", "ntfy"])
def test_network_of_the_site_is_not_reached(gateway, settings, scheme, host):
    settings.VIGIL_NOTIFICATIONS = {}
    port = gateway.url.rpartition(":")[2]
    error = error_of(f"{scheme}://me:pass@{host}:{port}/AbCdEfGhIjKlMnO")
    assert type(error) is RefusedAddressError
    assert gateway.posts == []


def test_mail_server_inside_is_not_reached(sink, settings):
    settings.VIGIL_NOTIFICATIONS = {}
    way = f"smtp=127.0.0.1&from=a@example.com&to=b@example.com&mode=insecure&port={sink.port}"
    assert type(error_of(f"mailto://me:pass@example.com:{sink.port}?{way}")) is RefusedAddressError
    assert sink.connections == 0


def test_name_that_leads_inside_is_not_reached(gateway, settings, resolving):
    settings.VIGIL_NOTIFICATIONS = {}
    resolving(hooks=["127.0.0.1"])
    port = gateway.url.rpartition(":")[2]
    assert type(error_of(f"json://hooks.example.com:{port}/x")) is RefusedAddressError
    assert gateway.posts == []


def test_url_of_the_site_itself_needs_leave_too_and_is_a_wrong_setting(json_url, settings):
    settings.VIGIL_NOTIFICATIONS = {}
    (outcome,) = channel(json_url).send([message()])
    assert type(outcome.error) is ConfigurationError


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("syslog://", "belongs to the machine"),
        ("dbus://", "belongs to the machine"),
        ("windows://", "belongs to the machine"),
        (f"dingtalk://{TOKEN}?template=/etc/passwd", "names a file"),
        ("fcm://project@apikey/x?KEYFILE=/etc/passwd", "names a file"),
        ("dingtalk://!!", "not a URL of a service"),
        ("https://example.com/x", "not a URL of a service"),
        ("nothing", "not a URL of a service"),
        ("", "not a URL of a service"),
        (f"dingtalk://{TOKEN}", ""),
        (f"dingtalk://SEC0123456789@{TOKEN}/13800138000", ""),
        (f"feishu://{TOKEN}", ""),
    ],
)
def test_url_of_a_person_is_looked_at_before_it_is_used(url, said):
    problem = service.problem_of(url, is_own=True)
    assert said in problem
    assert bool(problem) == bool(said)


def test_site_may_do_more_than_a_person():
    url = f"slack://TTTTTTTTT/BBBBBBBBB/{'c' * 24}?template=/etc/vigil/slack.json"
    assert service.problem_of(url, is_own=False) == ""
    assert "names a file" in service.problem_of(url, is_own=True)


# what shows


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (
            "json://me:pass-word-1@hooks.example.com:81/path-secret-1?a=b",
            "json://hooks.example.com/…",
        ),
        (f"dingtalk://SEC012345@{TOKEN}/", "dingtalk://…#"),
        (f"feishu://{TOKEN}", "feishu://…#"),
        ("mailto://me:pass-word-1@example.com", "mailto://example.com/…"),
        ("nonsense", "…"),
    ],
)
def test_of_a_url_no_more_than_scheme_and_host_is_seen(url, seen):
    assert shown(url).startswith(seen)
    assert not any(word in shown(url) for word in (TOKEN, "SEC012345", "pass-word-1", "secret"))


def test_lane_is_the_service_and_its_host_or_its_robot():
    one = channel()
    urls = (
        "json://a.example.com/x",
        "json://a.example.com/y",
        f"dingtalk://{TOKEN}",
        "dingtalk://b12",
    )
    lanes = [one.lane(one.address(person(apprise_url=url))) for url in urls]
    assert lanes[0] == lanes[1] == "json://a.example.com"
    assert len(set(lanes)) == 3


def test_nothing_of_the_url_is_logged_or_kept(gateway, json_url, dingtalk, caplog):
    with caplog.at_level(logging.DEBUG):
        for url, secrets in ((json_url, ["pass-word-1", "path-secret-1"]), (dingtalk, [TOKEN])):
            gateway.answer(" ".join(secrets), status=403)
            error = error_of(url)
            assert error is not None
            seen = f"{error} {error.answer} {caplog.text}"
            assert [secret for secret in secrets if secret in seen] == []


@pytest.mark.parametrize(
    "attack",
    [
        "<@all> now",
        "<!channel> now",
        "@everyone",
        "@All",
        "<@U12345>",
        "<http://evil.example|here>",
    ],
)
def test_nothing_in_an_alert_calls_a_group_or_hides_a_link(gateway, json_url, attack):
    channel(json_url).send([message(subject=attack, text=f"head\n{attack}\n")])
    said = gateway.posts[0].json()
    for text in (said["title"], said["message"]):
        assert attack not in text
        assert "＜" in text or "＠" in text


def test_person_without_a_url_gets_that_of_the_site_if_there_is_one():
    with pytest.raises(MissingAddressError, match="no Apprise URL set for Wang Wei"):
        channel().address(person())


def test_wrong_url_of_the_site_is_told_without_it():
    assert "APPRISE_URL: This is not a URL" in channel("dingtalk://!!secret-1").problem()
    assert "secret-1" not in channel("dingtalk://!!secret-1").problem()
