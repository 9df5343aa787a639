"""The base of every endpoint of the API, so that it behaves alike in any project that installs the app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from scheduler_app.api import errors
from scheduler_app.api.authentication import AsDeclared
from scheduler_app.api.inputs import Input, StrictJSONParser, read
from scheduler_app.texts import typed


class OneFormat(DefaultContentNegotiation):
    """Each endpoint has one format and answers in it, whatever the caller would like."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class Endpoint(APIView):
    """JSON in, JSON out. `query_shape` says which parameters the address may carry; `query` has their values.

    `to_read` and `to_write` name the Django permission that safe and other methods need; "": signing in is enough.
    """

    to_read: ClassVar[str] = ""
    to_write: ClassVar[str] = ""
    query_shape: ClassVar[type[Input]] = Input
    query: dict[str, Any]

    renderer_classes = (JSONRenderer,)
    parser_classes = (StrictJSONParser,)
    permission_classes: Sequence[type[BasePermission]] = (AsDeclared,)
    content_negotiation_class = OneFormat

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "job_id" in self.kwargs:  # which the handler gets
            self.kwargs["job_id"] = typed(self.kwargs["job_id"])
        self.query = read(self.query_shape, request.query_params)

    def get_exception_handler(self) -> Callable[..., Any]:
        return errors.answer

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "private, no-store"}


def caller(request: Request) -> str:
    """The name under which what the caller does is noted."""
    return str(request.user.get_username())
