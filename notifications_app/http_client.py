"""The one module that speaks HTTP to gateways.

Each call has a connection of its own: a kept one that its peer has just closed would leave it open whether the request
arrived. No URL shows in an error or a log, as some gateways have their secret in it.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from notifications_app.channels.deadline import cut_off_after
from notifications_app.channels.loopback import is_loopback
from notifications_app.channels.outbound import watched
from notifications_app.errors import (
    ConfigurationError,
    DeliveryError,
    ThrottledError,
    UnknownOutcomeError,
)
from scheduler_app import proxies
from scheduler_app.masking import mask
from scheduler_app.texts import clean, cut_line

BODY_LIMIT_BYTES = 65_536
LONGEST_PAUSE_S = 3600.0

# httpx logs every URL it calls, with the keys and the mobile numbers in it
logging.getLogger("httpx").setLevel(logging.WARNING)

_WRONG = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever its status. `headers` have lower-case names; `text` ends after 64 KiB."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    elapsed_ms: float = 0.0

    def json_object(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is anything else."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


def post(
    url: str,
    *,
    json: Any = None,
    data: Mapping[str, str] | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
    is_strange: bool = False,
) -> Answer:
    """POST `json`, the form `data` or the bytes `content`, and return the answer; see `_call`."""
    body = {"json": json, "data": data, "content": content}
    return _call("POST", url, body, headers, timeout_s, is_strange)


def get(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
    is_strange: bool = False,
    takes_proxy: bool = True,
) -> Answer:
    """GET, and return the answer; see `_call`."""
    return _call("GET", url, {}, headers, timeout_s, is_strange, takes_proxy)


def _call(
    method: str,
    url: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None,
    timeout_s: float,
    is_strange: bool,
    takes_proxy: bool = True,
) -> Answer:
    """The answer within `timeout_s` (name resolution not counted). Follows no redirect.

    A proxy of the environment is used (where `takes_proxy`), but never for this machine. One `is_strange` whose URL
    comes from a person: then no proxy is used, and only the public net and PRIVATE_NETWORKS are reached (else
    RefusedAddressError).

    Raises DeliveryError when the request did not leave, UnknownOutcomeError when it did (or may have) and no whole
    answer came back, and ConfigurationError for a URL or a header that cannot be used.
    """
    host = _host(url)
    began_s = time.monotonic()
    try:
        with watched() if is_strange else nullcontext():
            client = _client(url, timeout_s, takes_proxy=takes_proxy and not is_strange)
            response, data = _exchanged(
                client, client.build_request(method, url, headers=headers, **body), timeout_s
            )
    except (*_WRONG, httpx.InvalidURL, UnicodeError) as error:
        raise ConfigurationError(f"The request cannot be made: {_words(error)}") from None
    except _NOT_SENT as error:
        raise DeliveryError(f"No connection to {host}: {_words(error)}") from None
    except httpx.HTTPError as error:
        is_late = isinstance(error, httpx.ReadTimeout)
        why = f"no answer within {timeout_s:.0f} s" if is_late else _words(error)
        text = f"{host} took the request and gave no verdict ({why}): it may have arrived."
        raise UnknownOutcomeError(text) from None
    return _answer(response, data, (time.monotonic() - began_s) * 1000)


def _exchanged(
    client: httpx.Client, request: httpx.Request, timeout_s: float
) -> tuple[httpx.Response, bytes]:
    """The answer and its body. Raises what httpx does; ReadTimeout when the time was over after it had connected."""
    wire = _Wire()
    request.extensions["trace"] = wire
    with cut_off_after(timeout_s, wire.socket) as over, client:
        try:
            response = client.send(request, stream=True)
            with closing(response):
                data = _read(response)
        except _NOT_SENT:
            raise
        except httpx.HTTPError:
            if not over.is_set():
                raise
        if over.is_set():
            # a body without a length seems whole when its connection is cut
            raise httpx.ReadTimeout("cut off")
        return response, data


def _answer(response: httpx.Response, data: bytes, elapsed_ms: float) -> Answer:
    return Answer(
        status=response.status_code,
        text=clean(data.decode("utf-8", "replace")),
        headers={name.lower(): value for name, value in response.headers.items()},
        elapsed_ms=elapsed_ms,
    )


def refusal(answer: Answer, gateway: str) -> DeliveryError | None:
    """What the status of an answer without a verdict in its body means; None for 2xx."""
    status = answer.status
    if 200 <= status < 300:
        return None
    kept = mask(answer.text)
    code = f"HTTP {status}"
    text = f"{gateway} answered {code}: {cut_line(kept, 200) or 'nothing'}"
    wait_s = _retry_after_s(answer)
    if status == 429 or (status == 503 and wait_s):
        return ThrottledError(text, retry_after_s=wait_s, code=code, answer=kept)
    if status in (401, 403):
        return ConfigurationError(f"{text} (is the key right?)", code=code, answer=kept)
    if status < 400 or status in (404, 405, 410):
        return ConfigurationError(f"{text} (is the URL right?)", code=code, answer=kept)
    return DeliveryError(text, code=code, answer=kept)


class _Wire:
    """Follows which stream httpcore talks on: TLS and proxies put a new one over the first."""

    def __init__(self) -> None:
        self._stream: Any = None

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]

    def socket(self) -> socket.socket | None:
        found = self._stream.get_extra_info("socket") if self._stream else None
        return found if isinstance(found, socket.socket) else None


def _client(url: str, timeout_s: float, *, takes_proxy: bool) -> httpx.Client:
    # a third for each of TCP, the proxy's TLS and TLS, so that a stream exists before the time is over
    timeout = httpx.Timeout(timeout_s, connect=timeout_s / 3)
    headers = {"Accept-Encoding": "identity", "User-Agent": "Vigil"}
    is_direct = not takes_proxy or is_loopback(_host(url))
    return proxies.client(url, is_direct=is_direct, verify=_tls(), timeout=timeout, headers=headers)


def _tls() -> ssl.SSLContext:
    return proxies.tls()


def _read(response: httpx.Response) -> bytes:
    """The body as it came over the wire (no decompression: a small one can grow without bounds), at most 64 KiB."""
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= BODY_LIMIT_BYTES:
            break
    return bytes(body[:BODY_LIMIT_BYTES])


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        raise ConfigurationError("The URL of the gateway cannot be read.") from None


def _words(error: Exception) -> str:
    return cut_line(mask(f"{type(error).__name__} {error}".strip()), 200)


def _retry_after_s(answer: Answer) -> float | None:
    """The header Retry-After in seconds, between 1 and an hour; None without one that can be read."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        wait_s = float(value)
    else:
        try:
            wait_s = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(wait_s, 1.0), LONGEST_PAUSE_S)
