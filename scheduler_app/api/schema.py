"""The words of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema

from scheduler_app.api.inputs import Input

Method = TypeVar("Method", bound=Callable[..., Any])


def operation(
    tag: str,
    name: str,
    *,
    answer: Any,
    status: int = 200,
    query: type[Input] | None = None,
    body: type[Input] | None = None,
    media_type: str = "application/json",
) -> Callable[[Method], Method]:
    """Describes one method of an endpoint; its docstring is the description."""
    parameters: list[type[Input] | OpenApiParameter] = [query] if query else []
    return extend_schema(
        tags=[tag],
        operation_id=name,
        parameters=parameters,
        request=body,
        responses={(status, media_type): answer},
    )


class Session401Scheme(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = "scheduler_app.api.authentication.SessionAuthentication401"
    name = "cookieAuth"


class MetricsTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "scheduler_app.api.authentication.MetricsTokenAuthentication"
    name = "metricsToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "METRICS_TOKEN"}
