"""What every program of the site does first."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured

MISCONFIGURED = 2


def load_settings(exit_code: int = MISCONFIGURED) -> None:
    """Load the settings; where they forbid a start, say why on stderr, without a traceback, and exit."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.conf import settings

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads them
    except (ImproperlyConfigured, ValueError) as error:
        sys.stderr.write(f"The settings cannot be used:\n{error}\n")
        sys.exit(exit_code)
