from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "vigil_scheduler"
urlpatterns: list[URLPattern | URLResolver] = []
