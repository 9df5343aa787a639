"""The site's own addresses: dashboard, sign-in, health, project-wide metrics, the API's documentation."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
