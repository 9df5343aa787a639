"""The page behind the link that confirms an e-mail address: for its reader, who need not have signed in."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from notifications_app import confirmation


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks and changes nothing, as scanners follow every link."""
    settings = confirmation.waiting(token)
    if settings is None:
        raise Http404
    if request.method == "POST":
        confirmation.confirm(settings)
    context = {"address": settings.email_pending, "is_done": request.method == "POST"}
    response = render(request, "notifications_app/confirm.html", context)
    response["Referrer-Policy"] = "no-referrer"
    return response
