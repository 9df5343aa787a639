from __future__ import annotations

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "project"
    verbose_name = "Vigil"

    def ready(self) -> None:
        from project.configuration import checks  # noqa: F401 - registers them
