"""What every answer of the site carries."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

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
