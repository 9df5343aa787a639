"""How the API knows who calls."""

from __future__ import annotations

from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class SessionAuthentication401(SessionAuthentication):
    """A session; who has none gets 401, as there is something to do about it, not 403."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"
