"""The page behind the link in a mail: for whoever has the link, without signing in."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications_app import preferences
from notifications_app.channels.email import unsubscribe
from scheduler_app.pages.rendering import render

logger = logging.getLogger(__name__)


@csrf_exempt  # mail providers post here (RFC 8058); the signature in the address is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def end_email(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks and changes nothing, as scanners follow every link; POST switches e-mail off. Both may be repeated."""
    user = _user(unsubscribe.key_in(token))
    if request.method == "POST" and preferences.of(user).email_enabled:
        preferences.save(user, {"email_enabled": False})
        logger.info("unsubscribed", extra={"user": user.pk, "channel": "EMAIL"})
    context = {"is_on": preferences.of(user).email_enabled}
    response = render(request, "notifications_app/unsubscribe.html", context)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


def _user(key: str) -> Any:
    """Raises Http404 for a key of nobody. No query is made for a forged one."""
    kind, _colon, primary_key = key.partition(":")
    try:
        found = (
            get_user_model()._default_manager.filter(pk=primary_key).first()
            if kind == "user"
            else None
        )
    except (ValueError, ValidationError):
        found = None
    if found is None:
        raise Http404
    return found
