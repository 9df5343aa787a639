"""Who reads a page, and who may act on it: people who signed in, each in one time zone, by their Django permissions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, get_script_prefix, resolve, reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from scheduler_app import conf, zones
from scheduler_app.people import may

View = Callable[..., HttpResponse]

_zone_sources: list[Callable[[Any], str]] = []


def add_zone_source(zone_of: Callable[[Any], str]) -> None:
    """Let an app above say in which zone a user reads ("": it does not know)."""
    if zone_of not in _zone_sources:
        _zone_sources.append(zone_of)


def zone_of(user: Any) -> ZoneInfo:
    """The zone of every time on the pages of `user`: the person's own, else the site's."""
    for name in (source(user) for source in _zone_sources):
        if name in zones.names():  # one that the machine does not know costs nobody a page
            return ZoneInfo(name)
    return ZoneInfo(conf.site_time_zone())


def page(view: View) -> View:
    """A page for people who signed in, rendered in their zone (so `view` renders before it returns)."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return signed_out(request)
        with timezone.override(zone_of(request.user)):
            response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request"])
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return shown


def require(request: HttpRequest, permission: str) -> None:
    """Raises PermissionDenied."""
    if not may(request.user, permission):
        raise PermissionDenied


def action(*errors: type[Exception], needs: str) -> Callable[[Callable[..., str]], View]:
    """A POST that changes something and goes back to the page that it came from. A GET leads to the page above it.

    `needs` is a Django permission; "" for what every person who signed in may do with things of their own.
    The decorated function returns what to say of it; one of `errors` is said instead of becoming a fault of the server.
    """

    def decorate(act: Callable[..., str]) -> View:
        @wraps(act)
        def done(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if needs:
                require(request, needs)
            try:
                messages.success(request, act(request, *args, **kwargs))
            except errors as error:
                messages.error(request, str(error))
            return HttpResponseRedirect(back(request))

        return posts_only(page(done))

    return decorate


def posts_only(view: View) -> View:
    """A door without a page: who comes by an address bar or from a login page is led to the page above it."""

    @wraps(view)
    def posted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            return view(request, *args, **kwargs)
        return HttpResponseRedirect(page_above(request.path))

    return posted


def page_above(path: str) -> str:
    """The nearest address above `path` that is one of this site."""
    root = get_script_prefix()
    while path != root and path:
        path = path.rstrip("/").rpartition("/")[0] + "/"
        with suppress(Resolver404):
            resolve(f"/{path.removeprefix(root)}")
            return path
    return root


def back(request: HttpRequest, otherwise: str = "") -> str:
    """The page of this site that a form names in `next`, else `otherwise` (the list of jobs)."""
    wanted = request.POST.get("next", "")
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    return otherwise or reverse("vigil_scheduler:jobs")


def is_refresh(request: HttpRequest) -> bool:
    """Whether only the live part of the page is wanted."""
    return "HX-Request" in request.headers


def signed_out(request: HttpRequest) -> HttpResponse:
    """To the login page and back. What was sent is not done, and the page to which it goes back says so."""
    wanted = request.get_full_path()
    if request.method not in ("GET", "HEAD"):
        say_nothing_done(request)
        wanted = back(request, wanted)
    response = redirect_to_login(wanted)
    if not is_refresh(request):
        return response
    return HttpResponse(headers={"HX-Redirect": response["Location"]})


def say_nothing_done(request: HttpRequest) -> None:
    messages.warning(
        request, _("You were signed out, so nothing was done. Do it again where you still want it.")
    )
