from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from notifications_app import http_client
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    ThrottledError,
    UnknownOutcomeError,
)
from notifications_app.http_client import Answer, refusal


def test_answer_comes_back_whatever_its_status(gateway):
    gateway.answer("nö", status=418, headers={"X-Why": "tea"})
    answer = http_client.post(gateway.url, data={"a": "ü"}, timeout_s=5)
    assert (answer.status, answer.text, answer.headers["x-why"]) == (418, "nö", "tea")
    assert gateway.posts[0].body == b"a=%C3%BC"
    assert 0 < answer.elapsed_ms < 5000


def test_redirect_is_not_followed(gateway):
    gateway.answer("", status=302, headers={"Location": f"{gateway.url}/other"})
    assert http_client.post(gateway.url, timeout_s=5).status == 302
    assert len(gateway.posts) == 1


def test_body_is_read_up_to_64_kib(gateway):
    gateway.answer("x" * 200_000)
    assert len(http_client.post(gateway.url, timeout_s=5).text) == 65_536


def test_connection_refused_is_transient_as_nothing_left(free_port):
    with pytest.raises(DeliveryError, match=r"No connection to 127\.0\.0\.1") as caught:
        http_client.post(f"http://127.0.0.1:{free_port}/?key=secret-key", timeout_s=5)
    assert type(caught.value) is DeliveryError
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize("how", [{"drop": True}, {"delay_s": 30}, {"body": "x" * 99, "drip_s": 1}])
def test_request_without_a_whole_answer_may_have_arrived_and_ends_in_time(gateway, how):
    gateway.answer(**how)
    began_s = time.monotonic()
    with pytest.raises(UnknownOutcomeError, match="it may have arrived"):
        http_client.post(gateway.url, timeout_s=0.3)
    assert time.monotonic() - began_s < 2


def test_gateway_that_answers_byte_by_byte_is_left_in_time(tarpit_port):
    began_s = time.monotonic()
    with pytest.raises(UnknownOutcomeError, match="no answer within 1 s"):
        http_client.post(f"http://127.0.0.1:{tarpit_port}/", timeout_s=0.6)
    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize(
    "url", ["", "gateway/path", "ftp://127.0.0.1/", "http://[half", "http://a..b/"]
)
def test_url_that_is_none_is_a_wrong_setting(url):
    with pytest.raises(ConfigurationError):
        http_client.post(url, timeout_s=1)


def test_this_machine_is_not_reached_through_a_proxy(gateway, monkeypatch, free_port):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    assert http_client.post(gateway.url, timeout_s=5).status == 200
    with pytest.raises(DeliveryError, match=r"No connection to gateway\.example\.com"):
        http_client.post("http://gateway.example.com/", timeout_s=5)


def test_no_url_is_logged(gateway, caplog):
    with caplog.at_level(logging.INFO):
        http_client.post(f"{gateway.url}/?key=secret-key", timeout_s=5)
    assert "secret-key" not in caplog.text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ConfigurationError),
        (404, ConfigurationError),
        (401, ConfigurationError),
        (403, ConfigurationError),
        (500, DeliveryError),
        (503, DeliveryError),
        (429, ThrottledError),
    ],
)
def test_status_without_a_verdict_has_its_class(status, kind):
    assert type(refusal(Answer(status=status, text="<html>"), "Gateway")) is kind


@pytest.mark.parametrize(
    ("header", "wait_s"), [("17", 17), ("0", 1), ("999999", 3600), ("soon", None), ("", None)]
)
def test_retry_after_is_kept_between_a_second_and_an_hour(header, wait_s):
    error = refusal(Answer(status=429, text="", headers={"retry-after": header}), "Gateway")
    assert isinstance(error, ThrottledError)
    assert error.retry_after_s == wait_s


def test_retry_after_may_be_a_date():
    header = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    error = refusal(Answer(status=503, text="", headers={"retry-after": header}), "Gateway")
    assert isinstance(error, ThrottledError)
    assert error.retry_after_s == pytest.approx(120, abs=5)


@pytest.mark.parametrize("text", ["", "<html>", "[1]", "null", "[" * 60_000, '{"a": 1'])
def test_what_is_no_json_object_is_none(text):
    assert Answer(status=200, text=text).json_object() is None
