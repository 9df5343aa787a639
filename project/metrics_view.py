"""`/metrics`: the figures of the web processes (django-prometheus) and ours on one page."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from scheduler_app import metrics
from scheduler_app.clock import db_now
from scheduler_app.exposition import CONTENT_TYPE


@never_cache
@require_safe
def project_metrics(request: HttpRequest) -> HttpResponse:
    """For a session or `Authorization: Bearer METRICS_TOKEN`; 503 while the database does not answer."""
    try:
        if not (_has_token(request) or request.user.is_authenticated):
            return _plain(401, "Sign in, or send Authorization: Bearer METRICS_TOKEN.")
        ours = metrics.exposition(db_now())
    except (OperationalError, InterfaceError):
        return _plain(503, "The database does not answer.")
    # knows by itself whether several processes share their figures (PROMETHEUS_MULTIPROC_DIR)
    theirs: bytes = ExportToDjangoView(request).content
    return HttpResponse(theirs + ours.encode(), content_type=CONTENT_TYPE)


def _has_token(request: HttpRequest) -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    if not wanted or kind.lower() != "bearer":
        return False
    return secrets.compare_digest(token.strip().encode(), wanted.encode())


def _plain(status: int, text: str) -> HttpResponse:
    response = HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return response
