from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils.translation import gettext_lazy as _

from scheduler_app.api.nowhere import Nowhere

admin.site.site_header = admin.site.site_title = "Vigil"
admin.site.index_title = _("Administration")

handler500 = "scheduler_app.middleware.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("project.site_urls")),
    path("api/v1/", include("scheduler_app.api.urls")),
    path("api/v1/", include("alerts_app.api.urls")),
    path("api/v1/", include("notifications_app.api.urls")),
    re_path(r"^api(/|$)", Nowhere.as_view(schema=None)),
    path("", include("scheduler_app.urls")),
    path("", include("alerts_app.urls")),
    path("", include("notifications_app.urls")),
]
