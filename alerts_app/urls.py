from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from alerts_app.pages import alerts
from scheduler_app import converters  # noqa: F401 - registers the converter of ids

app_name = "vigil_alerts"
urlpatterns: list[URLPattern | URLResolver] = [
    path("alerts/", alerts.alert_list, name="alerts"),
    path("alerts/<id:alert_id>/", alerts.alert_detail, name="alert"),
    path("alerts/<id:alert_id>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("alerts/<id:alert_id>/resolve/", alerts.resolve, name="alert-resolve"),
]
