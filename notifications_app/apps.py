from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from scheduler_app.apps import require_apps


class NotificationsConfig(AppConfig):
    name = "notifications_app"
    verbose_name = _("Notifications")
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        require_apps(self, "scheduler_app", "alerts_app")
        super().import_models()

    def ready(self) -> None:
        from alerts_app.signals import occurrences_ready
        from notifications_app import (
            channel_declaration,
            channel_states,
            checks,  # noqa: F401 - registers the system checks
            fan_out,
            findings,
            metrics,
            outbox,
            reconsider,
            retention,
        )
        from notifications_app.channels import registry
        from scheduler_app import jobfile
        from scheduler_app.signals import clock_set_back, file_synced

        jobfile.register_section(
            "CHANNELS", lambda raw: channel_declaration.faults_in(raw, registry.names())
        )
        clock_set_back.connect(outbox.hasten, name="notifications_app.outbox")
        file_synced.connect(channel_states.sync, name="notifications_app.channel_states")
        occurrences_ready.connect(fan_out.receive, name="notifications_app.fan_out")
        findings.connect()
        metrics.connect()
        reconsider.connect()
        retention.connect()
