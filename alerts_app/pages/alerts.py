"""The list of alerts, one alert, and what can be done with it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts_app import audience, lifecycle
from alerts_app.audience import handled_by, to_handle, visible_to
from alerts_app.errors import AlertError
from alerts_app.pages import panels
from alerts_app.states import AlertState
from scheduler_app.pages.keyset import portion
from scheduler_app.pages.reader import action, is_refresh, page
from scheduler_app.pages.rendering import render
from scheduler_app.states import Severity
from scheduler_app.texts import typed

ONGOING = "ongoing"
"""In an address: every alert that is not resolved."""
OCCURRENCES = 50


@page
def alert_list(request: HttpRequest) -> HttpResponse:
    alerts = visible_to(request.user)
    state = request.GET.get("state", "")
    severity = request.GET.get("severity", "")
    owner = typed(request.GET.get("owner", ""))[:150]
    if state == ONGOING:
        alerts = alerts.filter(audience.ONGOING)
    elif state in AlertState.values:
        alerts = alerts.filter(state=state)
    if severity in Severity.values:
        alerts = alerts.filter(severity=severity)
    if owner:
        alerts = alerts.filter(owner=owner)
    context = {
        "alerts": portion(request, alerts, first=audience.ONGOING),
        "state": state,
        "severity": severity,
        "owner": owner,
        "states": [(ONGOING, gettext_lazy("not resolved")), *AlertState.choices],
        "severities": Severity.choices,
        "is_filtered": bool(state or severity or owner),
    }
    part = "_alerts_live.html" if is_refresh(request) else "alerts.html"
    return render(request, f"alerts_app/{part}", context)


@page
def alert_detail(request: HttpRequest, alert_id: int) -> HttpResponse:
    alert = get_object_or_404(visible_to(request.user), pk=alert_id)
    context = {
        "alert": alert,
        "occurrences": alert.occurrences.order_by("-pk")[:OCCURRENCES],
        "may_handle": handled_by(request.user).filter(pk=alert.pk).exists(),
        "panels": panels.of(alert, request.user),
    }
    return render(request, "alerts_app/alert.html", context)


@action(AlertError, needs="")
def acknowledge(request: HttpRequest, alert_id: int) -> str:
    lifecycle.acknowledge(to_handle(request.user, alert_id).pk, by=_name(request))
    return _("Acknowledged: repeats stay silent from now on.")


@action(AlertError, needs="")
def resolve(request: HttpRequest, alert_id: int) -> str:
    lifecycle.resolve(to_handle(request.user, alert_id).pk, by=_name(request))
    return _("Resolved.")


def _name(request: HttpRequest) -> str:
    return str(request.user.get_username())
