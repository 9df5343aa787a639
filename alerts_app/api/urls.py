"""The API of this app, each address with and without a slash at its end."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver
from rest_framework import status

from alerts_app.api import alerts
from alerts_app.errors import AlertStateError, UnknownAlertError
from scheduler_app.api import errors
from scheduler_app.api.paging import ID
from scheduler_app.api.routes import route

errors.register(AlertStateError, status.HTTP_409_CONFLICT)
errors.register(UnknownAlertError, status.HTTP_404_NOT_FOUND)

ALERT = f"alerts/(?P<alert_id>{ID})"

app_name = "vigil_alerts_api"
urlpatterns: list[URLPattern | URLResolver] = [
    route("alerts", alerts.Alerts, "alerts"),
    route(ALERT, alerts.Alert, "alert"),
    route(f"{ALERT}/acknowledge", alerts.Acknowledge, "alert-acknowledge"),
    route(f"{ALERT}/resolve", alerts.Resolve, "alert-resolve"),
]
