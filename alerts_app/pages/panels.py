"""What apps above show on the page of an alert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from alerts_app.models import AlertRecord


class Panel(NamedTuple):
    """A template, rendered with `panel` as its data."""

    template: str
    panel: Any


_panels: list[Callable[[AlertRecord, Any], Panel]] = []


def add(panel_of: Callable[[AlertRecord, Any], Panel]) -> None:
    """Show `panel_of(alert, user)` on the page of an alert."""
    if panel_of not in _panels:
        _panels.append(panel_of)


def of(alert: AlertRecord, user: Any) -> list[Panel]:
    return [panel_of(alert, user) for panel_of in _panels]
