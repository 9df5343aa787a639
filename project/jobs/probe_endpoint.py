"""Asks the site (or another address) whether it is ready, as its users would."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from django.conf import settings

from scheduler_app.texts import cut_line

MOST_BYTES = 65_536


class ProbeError(Exception):
    """No good answer; the text has the address, what came back and how long it took."""


def probe(*, url: str = "", timeout_s: float = 10) -> dict[str, Any]:
    """GET `url`; without one PROBE_URL, else the site's own /readyz. Raises ProbeError for all but status 2xx."""
    address = url or getattr(settings, "PROBE_URL", "") or f"{settings.SITE_URL}/readyz"
    if urlsplit(address).scheme not in ("http", "https"):
        raise ProbeError(f"{address} cannot be asked: only http and https can.")
    begin = time.perf_counter()
    try:
        status, body = _get(address, timeout_s)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", "") or error
        raise ProbeError(f"GET {address}: {reason} after {_elapsed_ms(begin)} ms") from error
    elapsed_ms = _elapsed_ms(begin)
    if not 200 <= status < 300:
        raise ProbeError(
            f"GET {address}: status {status} after {elapsed_ms} ms: {cut_line(body, 300)}"
        )
    return {"url": address, "status": status, "ms": elapsed_ms}


def _get(address: str, timeout_s: float) -> tuple[int, str]:
    request = Request(address, headers={"User-Agent": "vigil-probe", "Accept": "*/*"})  # noqa: S310 - checked above
    try:
        with _opener(address).open(request, timeout=timeout_s) as answer:
            return int(answer.status), answer.read(MOST_BYTES).decode("utf-8", "replace")
    except HTTPError as error:
        with error:
            return error.code, error.read(MOST_BYTES).decode("utf-8", "replace")


def _opener(address: str) -> OpenerDirector:
    """The site itself is asked directly, whatever proxy the machine uses for the world."""
    is_own = address.startswith(f"{settings.SITE_URL}/")
    return build_opener(ProxyHandler({})) if is_own else build_opener()


def _elapsed_ms(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 1)
