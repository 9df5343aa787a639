"""From what went wrong to an answer: {field: [what is wrong]} for input, {"detail": what happened} for all else."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DataError
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from scheduler_app import outages
from scheduler_app.errors import (
    CallableError,
    EditConflictError,
    ForbiddenCallableError,
    ParameterError,
    RunEndedError,
    ScheduleError,
    UnknownJobError,
    UnknownRunError,
    WatchedJobError,
)
from scheduler_app.masking import mask

logger = logging.getLogger(__name__)

_statuses: dict[type[Exception], int] = {
    UnknownJobError: status.HTTP_404_NOT_FOUND,
    UnknownRunError: status.HTTP_404_NOT_FOUND,
    EditConflictError: status.HTTP_409_CONFLICT,
    WatchedJobError: status.HTTP_409_CONFLICT,
    RunEndedError: status.HTTP_409_CONFLICT,
    ForbiddenCallableError: status.HTTP_400_BAD_REQUEST,
    CallableError: status.HTTP_400_BAD_REQUEST,
    ParameterError: status.HTTP_400_BAD_REQUEST,
    ScheduleError: status.HTTP_400_BAD_REQUEST,
}


class ConflictError(APIException):
    """What was asked for does not fit the state in which the thing is."""

    status_code = status.HTTP_409_CONFLICT


class DatabaseUnreachableError(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The database cannot be reached at the moment.")
    wait = 5
    """Seconds, sent as Retry-After."""


def register(error: type[Exception], status_code: int) -> None:
    """Let an app above say how one of its errors is answered; the error's text is the detail."""
    _statuses[error] = status_code


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to `error`; None for a fault of ours, which becomes a 500."""
    if outages.is_outage(error):
        logger.warning("database_unreachable", extra={"error": mask(str(error))})
        outages.let_go(error)
        return exception_handler(DatabaseUnreachableError(), context)
    if isinstance(error, DataError | OverflowError):
        logger.warning("value_out_of_range", extra={"error": mask(str(error))})
        return exception_handler(ParseError(_("A value is out of range.")), context)
    for kind, code in _statuses.items():
        if isinstance(error, kind):
            known = APIException(mask(str(error)))
            known.status_code = code
            return exception_handler(known, context)
    return exception_handler(error, context)
