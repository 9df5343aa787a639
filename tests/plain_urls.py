"""The addresses of the apps that tests/plain_settings.py installs."""

from __future__ import annotations

import os

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path

from tests import plain_settings

PREFIX = os.environ.get("VIGIL_TEST_PREFIX", "")
urlpatterns = [
    path("", lambda request: HttpResponse("our home")),  # where the admin's "View site" leads
    path("admin/", admin.site.urls),
    *(path(PREFIX, include(f"{app}.urls")) for app in plain_settings.APPS),
]
if "rest_framework" not in plain_settings.HIDDEN:
    urlpatterns += [
        path(f"{PREFIX}api/v1/", include(f"{app}.api.urls")) for app in plain_settings.APPS
    ]
