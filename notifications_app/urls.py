from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "vigil_notifications"
urlpatterns: list[URLPattern | URLResolver] = []
