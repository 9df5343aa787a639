"""Takes away django_apscheduler's own admin: its "run now" runs jobs in the web process and unpickles rows."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.contrib import admin

APP = "django_apscheduler"


def unregister() -> None:
    """Whatever the order of INSTALLED_APPS; a site's own admin of these models stays."""
    if not apps.is_installed(APP):
        return
    theirs = import_module(f"{APP}.admin")  # registers, unless that has happened
    for model, registered in list(admin.site._registry.items()):
        if model._meta.app_label == APP and type(registered).__module__ == theirs.__name__:
            admin.site.unregister(model)
