"""Slows down who guesses passwords (django-axes): a lock on an account from one address, a later one on the account."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username, get_cool_off
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

ACCOUNT_FACTOR = 10
"""The whole account is locked after so many times the failures that lock it for one address."""


class TwoLocks(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts failures of the account from this address, and those from everywhere.

    The second lock spares addresses from which the account has signed in before: an attacker with many addresses does
    not keep the person out.
    """

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        here = int(super().get_failures(request, credentials))
        username = get_client_username(request, credentials)
        if (
            not username
            or AccessLog.objects.filter(
                username=username, ip_address=request.axes_ip_address
            ).exists()
        ):
            return here
        recent = AccessAttempt.objects.filter(
            username=username, attempt_time__gte=get_cool_off_threshold(request)
        )
        everywhere = recent.aggregate(total=Sum("failures_since_start"))["total"] or 0
        return max(here, everywhere // ACCOUNT_FACTOR)


def client_address(request: HttpRequest) -> str | None:
    """Of the peer; behind TRUSTED_PROXIES proxies what the outermost of them wrote into X-Forwarded-For."""
    count = int(settings.TRUSTED_PROXIES)
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    if count and len(chain) >= count and chain[-count]:
        return chain[-count]
    return request.META.get("REMOTE_ADDR") or None


def locked(
    request: HttpRequest, _response: Any, credentials: dict[str, Any] | None
) -> HttpResponse:
    """429 with the time at which the lock ends; the password was not even looked at."""
    return render(request, "locked.html", {"until": _until(request, credentials)}, status=429)


def _until(request: HttpRequest, credentials: dict[str, Any] | None) -> datetime | None:
    username = get_client_username(request, credentials)
    attempts: QuerySet[Any] = AccessAttempt.objects.filter(username=username)
    own = attempts.filter(ip_address=client_address(request))
    last = (own if own.exists() else attempts).aggregate(last=Max("attempt_time"))["last"]
    pause = get_cool_off(request)
    return last + pause if last and pause else None
