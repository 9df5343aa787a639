from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from scheduler_app.apps import require_apps


class AlertsConfig(AppConfig):
    name = "alerts_app"
    verbose_name = _("Alerts")
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        require_apps(self, "scheduler_app")
        super().import_models()

    def ready(self) -> None:
        from alerts_app import (
            checks,  # noqa: F401 - registers the system checks
            retention,
        )
        from alerts_app.sources import clock, runs

        clock.connect()
        runs.connect()
        retention.connect()
