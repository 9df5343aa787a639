"""Whom an alert concerns: its owner, and whom an app above names. They see it, acknowledge it and resolve it.

People with permission to view alerts see all of them, those with permission to change alerts handle all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404

from alerts_app.models import AlertRecord
from alerts_app.states import AlertState
from scheduler_app.people import may, owned_by

VIEW_ALERTS = "alerts_app.view_alertrecord"
CHANGE_ALERTS = "alerts_app.change_alertrecord"

ONGOING = Q(state__in=(AlertState.OPEN, AlertState.ACKNOWLEDGED))
"""The alerts that are not resolved: lists have them first."""
_rules: list[Callable[[Any], Q]] = []


def add_rule(concerned: Callable[[Any], Q]) -> None:
    """Let a user see and handle the alerts that `concerned(user)` selects, beside their own."""
    if concerned not in _rules:
        _rules.append(concerned)


def visible_to(user: Any) -> QuerySet[AlertRecord]:
    return AlertRecord.objects.all() if may(user, VIEW_ALERTS) else _concerning(user)


def handled_by(user: Any) -> QuerySet[AlertRecord]:
    """The alerts that `user` may acknowledge and resolve."""
    return AlertRecord.objects.all() if may(user, CHANGE_ALERTS) else _concerning(user)


def to_handle(user: Any, alert_id: int) -> AlertRecord:
    """Raises Http404 for an alert that `user` does not see, PermissionDenied for one that `user` may only see."""
    alert = get_object_or_404(visible_to(user), pk=alert_id)
    if not handled_by(user).filter(pk=alert.pk).exists():
        raise PermissionDenied
    return alert


def _concerning(user: Any) -> QuerySet[AlertRecord]:
    mine = owned_by(user)
    for rule in _rules:
        mine |= rule(user)
    return AlertRecord.objects.filter(mine)
