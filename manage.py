#!/usr/bin/env python3
"""Django's command line for Vigil: `.venv/bin/python manage.py help`."""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent


def main() -> None:
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        python = HOME / ".venv/bin/python"
        hint = (
            f"use {python} {sys.argv[0]}"
            if python.exists()
            else "run scripts/run once: it makes .venv"
        )
        sys.exit(f"{sys.executable} has no Django: {hint}")
    from project.configuration.start import load_settings

    load_settings()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
