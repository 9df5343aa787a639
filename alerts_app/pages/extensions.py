"""What apps above add to the pages of alerts: who else may see one, and panels below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.db.models import Q

from alerts_app.models import AlertRecord


class Panel(NamedTuple):
    """A template, rendered with `panel` as its data."""

    template: str
    panel: Any


_may_see: list[Callable[[Any], Q]] = []
_panels: list[Callable[[AlertRecord, Any], Panel]] = []


def add_reader_rule(may_see: Callable[[Any], Q]) -> None:
    """Let a user see the alerts that `may_see(user)` selects, beside their own."""
    if may_see not in _may_see:
        _may_see.append(may_see)


def add_panel(panel_of: Callable[[AlertRecord, Any], Panel]) -> None:
    """Show `panel_of(alert, user)` on the page of an alert."""
    if panel_of not in _panels:
        _panels.append(panel_of)


def reader_rules(user: Any) -> Iterator[Q]:
    return (rule(user) for rule in _may_see)


def panels(alert: AlertRecord, user: Any) -> list[Panel]:
    return [panel_of(alert, user) for panel_of in _panels]
