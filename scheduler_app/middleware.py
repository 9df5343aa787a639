"""The answer to a web request that the database cannot serve at the moment."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from scheduler_app import connections, outages
from scheduler_app.api.errors import DatabaseUnreachableError
from scheduler_app.masking import mask

logger = logging.getLogger(__name__)


class DatabaseOutages:
    """Answers 503 with Retry-After where a view, the admin's as well, fails because the database is away.

    Limits the statements of web requests (see `connections.limit_statements`).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        connections.limit_statements()
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer(request, error) if outages.is_outage(error) else None


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`: as Django's, but for errors of an outage that a middleware raised, such as storing a session."""
    error = sys.exc_info()[1]
    if error is not None and outages.is_outage(error):
        return answer(request, error)
    return defaults.server_error(request)


def answer(request: HttpRequest, error: BaseException) -> HttpResponse:
    """A page, or JSON for a client of the API. Asks neither the database nor the request's session."""
    logger.warning("database_unreachable", extra={"error": mask(str(error))})
    outages.let_go(error)
    response: HttpResponse
    if _wants_json(request):
        response = JsonResponse(
            {"detail": str(DatabaseUnreachableError.default_detail)}, status=503
        )
    else:
        page = render_to_string("scheduler_app/database_away.html")
        response = HttpResponseServerError(page, status=503)
    response["Retry-After"] = str(DatabaseUnreachableError.wait)
    response["Cache-Control"] = "no-store"
    return response


def _wants_json(request: HttpRequest) -> bool:
    wanted = request.get_preferred_type(["text/html", "application/json"])
    return request.path.startswith("/api/") or wanted == "application/json"
