#!/usr/bin/env python3
"""Django's command line for Vigil: `.venv/bin/python manage.py help`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        python = HOME / ".venv/bin/python"
        hint = (
            f"use {python} {sys.argv[0]}"
            if python.exists()
            else "run scripts/run once: it makes .venv"
        )
        sys.exit(f"{sys.executable} has no Django: {hint}")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings, whose faults are shown without a traceback
    except (ImproperlyConfigured, ValueError) as error:
        sys.stderr.write(f"The settings cannot be used:\n{error}\n")
        sys.exit(2)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
