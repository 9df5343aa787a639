"""Asks the site (or another address) whether it is ready, as its users would."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from notifications_app import http_client
from notifications_app.errors import DeliveryError, RefusedAddressError
from notifications_app.http_client import Answer
from scheduler_app.texts import cut_line


class ProbeError(Exception):
    """No good answer; the text has the address, what came back and how long it took."""


def probe(*, url: str = "", timeout_s: float = 10) -> dict[str, Any]:
    """GET PROBE_URL, else the site's own /readyz. Raises ProbeError for all but status 2xx; follows no redirect.

    A `url` may come from the person who starts the run: then only the public net and PRIVATE_NETWORKS are reached, and
    an error says nothing of what answered but its status.
    """
    address = url or getattr(settings, "PROBE_URL", "") or f"{settings.SITE_URL}/readyz"
    if _scheme(address) not in ("http", "https"):
        raise ProbeError(f"{address} cannot be asked: only http and https can.")
    begin = time.perf_counter()
    try:
        answer = _get(address, timeout_s, is_strange=bool(url))
    except DeliveryError as error:
        reason = _reason(error) if url else str(error)
        raise ProbeError(f"GET {address}: {reason} after {_elapsed_ms(begin)} ms") from None
    elapsed_ms = _elapsed_ms(begin)
    if not 200 <= answer.status < 300:
        body = "" if url else f": {cut_line(answer.text, 300)}"
        raise ProbeError(f"GET {address}: status {answer.status} after {elapsed_ms} ms{body}")
    return {"url": address, "status": answer.status, "ms": elapsed_ms}


def _get(address: str, timeout_s: float, *, is_strange: bool) -> Answer:
    """The site itself is asked directly, whatever proxy the machine uses for the world."""
    is_own = address.startswith(f"{settings.SITE_URL}/")
    return http_client.get(
        address, timeout_s=timeout_s, is_strange=is_strange, takes_proxy=not is_own
    )


def _reason(error: DeliveryError) -> str:
    """Without a banner of what listens there."""
    if isinstance(error, RefusedAddressError):
        return f"{error} (a url given to a run is held to PRIVATE_NETWORKS, PROBE_URL is not)"
    return "no answer in HTTP"


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:
        return ""


def _elapsed_ms(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 1)
