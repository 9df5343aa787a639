"""Addresses of endpoints."""

from __future__ import annotations

from django.urls import URLPattern, re_path
from rest_framework.views import APIView

from scheduler_app.api import schema  # noqa: F401 - registers how authentication is described


def route(address: str, endpoint: type[APIView], name: str) -> URLPattern:
    """`address` (a regular expression) with and without a slash at its end."""
    return re_path(rf"^{address}/?$", endpoint.as_view(), name=name)
