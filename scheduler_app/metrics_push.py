"""Hands all figures to a Prometheus Pushgateway, where Prometheus cannot reach this site."""

from __future__ import annotations

import base64
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import ProxyHandler, Request, build_opener

from django.utils.translation import gettext as _

from scheduler_app import conf, metrics, proxies
from scheduler_app.clock import db_now
from scheduler_app.errors import SchedulerError, SkipRun
from scheduler_app.exposition import CONTENT_TYPE
from scheduler_app.texts import storable

GROUP = "/metrics/job/vigil"
TIMEOUT_S = 10.0
ANSWER_LIMIT_BYTES = 500


class PushError(SchedulerError):
    """The Pushgateway was not reached, or did not take the figures; the text has its answer."""


def push() -> str:
    """The job: replace the gateway's group of ours by the figures of now; returns how much was sent.

    Raises SkipRun without METRICS_PUSH_URL, PushError when the gateway did not take them.
    """
    url = conf.get().PUSH_URL
    if not url:
        raise SkipRun(_("METRICS_PUSH_URL is not set"))
    body = metrics.exposition(db_now()).encode()
    request = _request(url, body)
    proxy = proxies.proxy_for(url)
    opener = build_opener(ProxyHandler({"http": proxy, "https": proxy} if proxy else {}))
    try:
        with opener.open(request, timeout=TIMEOUT_S):
            facts = {"count": f"{len(body):,}", "host": request.host}
            return _("%(count)s bytes pushed to %(host)s") % facts
    except HTTPError as error:
        answer = error.read(ANSWER_LIMIT_BYTES).decode("utf-8", "replace")
        said = {"code": error.code, "answer": storable(answer, ANSWER_LIMIT_BYTES)}
        text = _("%(host)s answered %(code)s: %(answer)s") % {"host": request.host, **said}
        raise PushError(text.strip()) from error
    except (OSError, HTTPException) as error:
        facts = {"host": request.host, "error": str(error)}
        raise PushError(_("%(host)s cannot be reached: %(error)s") % facts) from error


def _request(url: str, body: bytes) -> Request:
    """PUT to `url`, whose user and password go into a header, as they must not stand in the request line."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_fit_port(parts):
        raise PushError(_("METRICS_PUSH_URL is no address: write http://pushgateway:9091."))
    path = parts.path.rstrip("/")
    target = urlunsplit(
        (parts.scheme, parts.netloc.rpartition("@")[2], path if path else GROUP, "", "")
    )
    request = Request(target, data=body, method="PUT")  # noqa: S310 - http or https
    request.add_header("Content-Type", CONTENT_TYPE)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")
    return request


def _has_fit_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
