from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from alerts_app.pages import alerts

app_name = "vigil_alerts"
urlpatterns: list[URLPattern | URLResolver] = [
    path("alerts/", alerts.alert_list, name="alerts"),
    path("alerts/<int:alert_id>/", alerts.alert_detail, name="alert"),
    path("alerts/<int:alert_id>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("alerts/<int:alert_id>/resolve/", alerts.resolve, name="alert-resolve"),
]
