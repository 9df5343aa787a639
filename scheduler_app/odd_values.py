"""Answers requests with values that no database takes, before or after one has refused them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.defaults import bad_request
from rest_framework.views import APIView

from scheduler_app.masking import mask

logger = logging.getLogger(__name__)

NUL = "\0"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class RefuseUnstorable:
    """400 for a NUL character in query, form or cookie (404 in the path), and for a number or time out of range.

    Endpoints of the API refuse both by the fields of their inputs, and name the field.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _refuse_nul(request.COOKIES.values())
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_arguments: Any) -> None:
        if issubclass(getattr(view, "cls", object), APIView):
            return
        if NUL in request.path_info:
            raise Http404
        given = [request.GET]
        if request.content_type in FORMS:
            given.append(request.POST)
        for one in given:
            for name, values in one.lists():
                _refuse_nul([name, *map(str, values)])

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Checks of each view come first; this is for what they let pass."""
        if not isinstance(error, DataError | OverflowError):
            return None
        logger.warning("value_out_of_range", extra={"error": mask(str(error))})
        return bad_request(request, error)


def _refuse_nul(texts: Iterable[str]) -> None:
    """Raises BadRequest."""
    if any(NUL in text for text in texts):
        raise BadRequest("The request holds a NUL character.")
