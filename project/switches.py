"""What a reader chooses about the look of all pages; kept in cookies, so that the server renders it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import get_script_prefix

from scheduler_app.pages.reader import back, posts_only
from scheduler_app.templatetags.vigil import LIVE_COOKIE, THEME_COOKIE, THEMES

YEAR_S = 365 * 86_400


@posts_only
def set_theme(request: HttpRequest) -> HttpResponse:
    """`theme`: light, dark, or auto (as the device)."""
    theme = request.POST.get("theme", "")
    return _keep(request, THEME_COOKIE, theme if theme in THEMES else "auto")


@posts_only
def set_live(request: HttpRequest) -> HttpResponse:
    """`live`: on or off, whether pages refresh by themselves."""
    return _keep(request, LIVE_COOKIE, "off" if request.POST.get("live") == "off" else "on")


def _keep(request: HttpRequest, name: str, value: str) -> HttpResponse:
    response = HttpResponseRedirect(back(request))
    response.set_cookie(
        name,
        value,
        max_age=YEAR_S,
        path=get_script_prefix(),
        samesite="Lax",
        secure=request.is_secure(),
        httponly=True,
    )
    return response
