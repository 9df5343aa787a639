"""Loaded by pytest before everything else (see pyproject.toml), as Django reads its settings only once."""

from __future__ import annotations

from tests import environment

environment.isolate()
