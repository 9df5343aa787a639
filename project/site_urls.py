"""The site's own addresses: dashboard, sign-in, health, project-wide metrics, the API's documentation."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, path, re_path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from django.views.i18n import set_language

from project import health, switches
from project.api_docs import Schema, docs
from project.dashboard import dashboard
from project.metrics_view import project_metrics
from scheduler_app.api import figures
from scheduler_app.pages.reader import posts_only

urlpatterns: list[URLPattern | URLResolver] = [
    path("", dashboard, name="dashboard"),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("scheduler_app/mark.svg"))),
    path("login/", LoginView.as_view(template_name="login.html"), name="login"),
    path("logout/", posts_only(LogoutView.as_view()), name="logout"),
    path("language/", set_language, name="set_language"),
    path("theme/", switches.set_theme, name="set_theme"),
    path("live/", switches.set_live, name="set_live"),
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", project_metrics, name="metrics"),
    re_path(r"^metrics/prometheus/?$", figures.Exposition.as_view(schema=None), name="exposition"),
    re_path(r"^scheduler/metrics/?$", figures.Metrics.as_view(schema=None), name="snapshot"),
    re_path(r"^api/schema/?$", Schema.as_view(), name="schema"),
    re_path(r"^api/docs/?$", docs, name="docs"),
]
