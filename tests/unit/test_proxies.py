from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app import http_client
from scheduler_app import proxies

PROXY = "http://127.0.0.1:3128"


@pytest.fixture
def environment(monkeypatch):
    """Set these variables, and no other that names a proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def set_variables(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("localhost,[::1]", "http://[::1]:80/", True),
        ("localhost,[::1]", "https://example.com/", False),
        ("::1", "http://[::1]/", True),
        ("[::1]:80", "http://[::1]:80/", True),
        ("[::1]:81", "http://[::1]:80/", False),
        ("fd00::/8", "http://[fd00::5]/", True),
        ("10.0.0.0/8", "http://10.2.3.4/", True),
        ("10.0.0.0/8", "http://11.2.3.4/", False),
        ("10.2.3.4", "http://10.2.3.4/", True),
        ("example.com", "https://example.com/", True),
        ("example.com", "https://www.example.com/", True),
        ("example.com", "https://notexample.com/", False),
        (".example.com", "https://www.example.com/", True),
        ("*.example.com", "https://www.example.com/", True),
        ("EXAMPLE.com", "https://example.COM/", True),
        ("example.com:8443", "https://example.com:8443/", True),
        ("example.com:8443", "https://example.com/", False),
        ("http://example.com", "http://example.com/", True),
        ("a;b example.com", "http://example.com/", True),
        ("*", "https://example.com/", True),
        ("[::1,,://,10.0.0.0/99", "https://example.com/", False),
    ],
)
def test_no_proxy(environment, no_proxy, url, is_direct):
    environment(ALL_PROXY=PROXY, NO_PROXY=no_proxy)
    assert proxies.proxy_for(url) == (None if is_direct else PROXY)
    with proxies.client(url):
        pass


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({"HTTP_PROXY": "proxy:3128"}, "http://h/", "http://proxy:3128"),
        ({"HTTP_PROXY": "proxy:3128"}, "https://h/", None),
        ({"https_proxy": "http://u:p@proxy:3128/"}, "https://h/", "http://u:p@proxy:3128"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, "https://h/", PROXY),
        ({"HTTPS_PROXY": "http://proxy:abc", "ALL_PROXY": PROXY}, "https://h/", PROXY),
    ],
)
def test_proxy_of_a_url(environment, variables, url, proxy):
    environment(**variables)
    assert proxies.proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("NO_PROXY", "localhost,[::1", "'[::1'"),
        ("NO_PROXY", "10.0.0.0/99", "'10.0.0.0/99'"),
        ("HTTP_PROXY", "http://proxy:abc", "proxy:abc is not HOST:PORT"),
        ("HTTP_PROXY", "http://u:pa#ss@proxy:1", r"is not HOST:PORT"),
        ("HTTPS_PROXY", "ftp://proxy", "ftp:// is none of http, https"),
        ("ALL_PROXY", "socks://127.0.0.1:1080/", "pip install socksio"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1080", "pip install socksio"),
    ],
)
def test_what_cannot_be_used_is_named_and_left_out(
    environment, monkeypatch, variable, value, words
):
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)
    environment(**{variable: value})
    [problem] = proxies.problems()
    assert problem.variable == variable
    assert problem.text.startswith(variable)
    assert words in problem.text
    assert "pa#ss" not in problem.text
    assert proxies.proxy_for("http://example.com/") is None


def test_environment_that_can_be_used_is_not_named(environment):
    environment(NO_PROXY="localhost,[::1],::1,.a.b,10.0.0.0/8,h:80,*", HTTP_PROXY=PROXY)
    assert list(proxies.problems()) == []


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_no_value_keeps_a_client_from_being_made(value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALL_PROXY", value)
        patch.setenv("NO_PROXY", value)
        list(proxies.problems())
        proxies.client("https://example.com/").close()


def test_post_leaves_in_spite_of_a_strange_no_proxy(environment, free_port):
    environment(NO_PROXY="localhost,[::1]", HTTP_PROXY="http://proxy:abc")
    with pytest.raises(http_client.DeliveryError, match=r"No connection to 127\.0\.0\.2"):
        http_client.post(f"http://127.0.0.2:{free_port}/", timeout_s=2)
