"""How the API knows who calls, and who may do what."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from scheduler_app import conf
from scheduler_app.people import may

FIGURES = "figures"
"""`request.auth` of a caller with the metrics token: no person, and may read figures alone."""


class SessionAuthentication401(SessionAuthentication):
    """A session; who has none gets 401, as there is something to do about it, not 403."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class MetricsTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer METRICS_TOKEN`. Only figures take it; an empty token lets nobody in."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        scheme, _space, given = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = conf.metrics_token().encode()
        if not token or not constant_time_compare(given.strip(), token):
            raise AuthenticationFailed(_("The metrics token is wrong."))
        return AnonymousUser(), FIGURES

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="figures"'


class AsDeclared(BasePermission):
    """People who signed in and have the permission that the endpoint names: `to_read`, `to_write` ("": none needed)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = view.to_read if request.method in SAFE_METHODS else view.to_write
        return bool(request.user.is_authenticated) and (not needed or may(request.user, needed))


class ReadsFigures(AsDeclared):
    """As declared, or with the metrics token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.auth == FIGURES or super().has_permission(request, view)
