"""Answers requests with values that no database takes, before or after one has refused them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.defaults import bad_request

from scheduler_app.masking import mask

logger = logging.getLogger(__name__)

NUL = "\0"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class RefuseUnstorable:
    """400 for a NUL character in query, form or cookie (404 in the path), and for a number or time out of range.

    The API's parser refuses NUL characters in JSON.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if NUL in request.path_info:
            raise Http404
        if _holds_nul(request):
            raise BadRequest("The request holds a NUL character.")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Checks of each view come first; this is for what they let pass."""
        if not isinstance(error, DataError | OverflowError):
            return None
        logger.warning("value_out_of_range", extra={"error": mask(str(error))})
        return bad_request(request, error)


def _holds_nul(request: HttpRequest) -> bool:
    given = [request.GET]
    if request.content_type in FORMS:
        given.append(request.POST)
    pairs = [(name, value) for one in given for name, values in one.lists() for value in values]
    pairs += request.COOKIES.items()
    return any(NUL in name or NUL in str(value) for name, value in pairs)
