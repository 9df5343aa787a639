"""Loaded by pytest before everything else (see pyproject.toml), as Django reads its settings only once."""

from __future__ import annotations

from project import translations
from tests import environment

environment.isolate()
translations.compile_all(environment.ROOT)  # as scripts/run does it; the .mo files are not in git
