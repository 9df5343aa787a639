from __future__ import annotations

from django.apps import AppConfig
from django.apps import apps as registry
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


def require_apps(config: AppConfig, *names: str) -> None:
    """Raises ImproperlyConfigured when `config` is installed without the apps below it."""
    installed = {one.name for one in registry.get_app_configs()}
    if missing := [name for name in names if name not in installed]:
        text = f"{config.name} needs {' and '.join(missing)}: add it to INSTALLED_APPS."
        raise ImproperlyConfigured(text)


class SchedulerConfig(AppConfig):
    name = "scheduler_app"
    verbose_name = _("Scheduler")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from scheduler_app import (
            checks,  # noqa: F401 - registers the system checks
            connections,
            timestamps,
        )

        connections.connect()
        timestamps.connect()
