"""What every answer of the site carries, and how its pages show characters that cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from scheduler_app.pages.reader import say_nothing_done, zone_of
from scheduler_app.visible import visible

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class ContentSecurityPolicy:
    """Only the site's own scripts, styles and pictures load, none of them inline.

    The API's documentation (Swagger UI) writes its own inline styles and start script, so that page
    alone is excepted for those.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        inline = "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
        policy = POLICY + (inline if request.path_info.startswith("/api/docs") else "")
        response.headers.setdefault("Content-Security-Policy", policy)
        return response


class VisibleText:
    """Shows control and invisible characters in HTML as text, outside of what forms send back.

    U+200B stays: pages put it where a browser may break a long name.
    """

    FORM_VALUES = re.compile(r"(<textarea\b.*?</textarea>|<input\b[^>]*>)", re.DOTALL)

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and isinstance(response, HttpResponse):
            text = response.content.decode(response.charset, "replace")
            if (shown := self._shown(text)) != text:
                response.content = shown
        return response

    def _shown(self, text: str) -> str:
        parts = self.FORM_VALUES.split(text)
        parts[::2] = ["\u200b".join(map(visible, part.split("\u200b"))) for part in parts[::2]]
        return "".join(parts)


class AdminLikePages:
    """Gives the admin what pages do by themselves: the reader's zone, and a word on what was sent after the session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(reverse("admin:index")):
            return self.get_response(request)
        try:
            zone = zone_of(request.user) if request.user.is_authenticated else None
        except Error:  # the view meets it as well, and its answer is the one
            return self.get_response(request)
        if zone is None:
            return self._for_stranger(request)
        with timezone.override(zone):
            return self.get_response(request)

    def _for_stranger(self, request: HttpRequest) -> HttpResponse:
        login = reverse("admin:login")
        response = self.get_response(request)
        is_sent_there = response.headers.get("Location", "").startswith(login)
        if request.method == "POST" and request.path != login and is_sent_there:
            say_nothing_done(request)
        return response
