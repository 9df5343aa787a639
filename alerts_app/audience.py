"""Whom an alert concerns: staff, its owner, and whom an app above names. They see it, acknowledge it and resolve it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from alerts_app.models import AlertRecord
from alerts_app.states import AlertState
from scheduler_app.people import is_staff

ONGOING = Q(state__in=(AlertState.OPEN, AlertState.ACKNOWLEDGED))
"""The alerts that are not resolved: lists have them first."""
_rules: list[Callable[[Any], Q]] = []


def add_rule(concerned: Callable[[Any], Q]) -> None:
    """Let a user see and handle the alerts that `concerned(user)` selects, beside their own."""
    if concerned not in _rules:
        _rules.append(concerned)


def visible_to(user: Any) -> QuerySet[AlertRecord]:
    """All alerts for staff; for others those that they own or that an app above says concern them."""
    if is_staff(user):
        return AlertRecord.objects.all()
    mine = _owned_by(user)
    for rule in _rules:
        mine |= rule(user)
    return AlertRecord.objects.filter(mine)


def _owned_by(user: Any) -> Q:
    """An owner is a name, or several with commas between them."""
    names = "|".join(re.escape(name) for name in _names(user))
    return Q(owner__regex=rf"(^|,)\s*({names})\s*(,|$)") if names else Q(pk__in=())


def _names(user: Any) -> list[str]:
    """Everything by which an owner may mean this person."""
    email = str(getattr(user, get_user_model().get_email_field_name(), "") or "")
    groups = getattr(user, "groups", None)
    names = list(groups.values_list("name", flat=True)) if groups is not None else []
    return [name for name in (user.get_username(), email, *names) if name]
