"""This process's own Django: set up apart from the developer's `.env`, and led to one database after the other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import django
from django.db import connections

from tests import environment


def set_up(settings: str = "project.settings") -> None:
    """Before any model is imported. Nobody's own database is touched: DATABASE_URL is not read."""
    os.environ.pop("DATABASE_URL", None)
    environment.isolate()
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    django.setup()


@contextlib.contextmanager
def connected(database_url: str) -> Iterator[None]:
    """Inside, models and `connection` of this thread speak to `database_url`."""
    from project.settings import database_settings

    before = connections.settings
    _lead_to({"default": database_settings(database_url)})
    try:
        yield
    finally:
        _lead_to(before)


def _lead_to(databases: dict[str, object]) -> None:
    connections["default"].close()
    connections.settings = connections.configure_settings(databases)
    del connections["default"]
