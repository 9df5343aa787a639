"""The one way to a gateway over HTTP."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from notifications_app.errors import ConfigurationError, DeliveryError, UnknownOutcomeError
from scheduler_app.masking import mask

ANSWER_LIMIT_BYTES = 65_536
NOTHING_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gateway answered, its first 64 KiB; `elapsed_ms` from the first byte sent to the last one read."""

    status: int
    text: str
    headers: Mapping[str, str]
    elapsed_ms: float

    def json(self) -> dict[str, Any] | None:
        """The answer as a JSON object; None when it is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def retry_after_s(self) -> float | None:
        """`Retry-After` in seconds, at most a day; dates are not understood."""
        value = self.headers.get("retry-after", "")
        return min(float(value), 86_400.0) if value.isdecimal() else None


def post(
    url: str,
    *,
    timeout_s: float,
    json: Any = None,
    data: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """POST and read the answer within `timeout_s`; redirects are not followed.

    Raises DeliveryError when nothing left this machine, UnknownOutcomeError when something did and no answer came back.
    """
    deadline_s = time.monotonic() + timeout_s
    begin_s = time.perf_counter()
    try:
        with (
            _client(url, timeout_s) as client,
            client.stream("POST", url, json=json, data=data, headers=headers) as response,
        ):
            body = _read(response, deadline_s)
    except NOTHING_LEFT as error:
        raise DeliveryError(f"The gateway cannot be reached: {mask(str(error))}.") from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        what = mask(str(error)) or type(error).__name__
        raise UnknownOutcomeError(f"The gateway did not answer: {what}.") from error
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigurationError("The gateway's address is no valid URL.") from error
    return Answer(
        status=response.status_code,
        text=body.decode("utf-8", "replace"),
        headers=response.headers,
        elapsed_ms=(time.perf_counter() - begin_s) * 1000,
    )


def _client(url: str, timeout_s: float) -> httpx.Client:
    """Without kept connections: one that the gateway closed meanwhile would look like an unknown outcome.

    Proxies of the environment are used, but not for this machine itself.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(timeout=timeout_s, limits=limits, trust_env=not _is_here(url))


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(response: httpx.Response, deadline_s: float) -> bytes:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= ANSWER_LIMIT_BYTES:
            break
        if time.monotonic() > deadline_s:
            raise httpx.ReadTimeout("the answer took too long")
    return body[:ANSWER_LIMIT_BYTES]
