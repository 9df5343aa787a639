"""The owner of the demo's jobs: somebody who is told nothing, by any channel."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from notifications_app import preferences
from notifications_app.models import NotificationSettings
from project.demo.errors import DemoError
from project.demo.jobs import OWNER
from scheduler_app.people import has_field

ADDRESS = "demo@demo.invalid"
"""Tells our person from somebody who happens to have the name."""


def ensure() -> None:
    """Create the person with every channel switched off. Raises DemoError when the name is taken."""
    model = get_user_model()
    known = model._default_manager.filter(**{model.USERNAME_FIELD: OWNER}).first()
    if known is None:
        known = model._default_manager.create(**_marks(model))
        known.set_unusable_password()
        known.save()
    elif known not in ours():
        raise DemoError(
            f"There is a user {OWNER!r} already, who is not the demo's: rename that one."
        )
    switches = [f.name for f in NotificationSettings._meta.fields if f.name.endswith("_enabled")]
    preferences.save(known, dict.fromkeys(switches, False))


def ours() -> Any:
    model = get_user_model()
    return model._default_manager.filter(**_marks(model))


def _marks(model: Any) -> dict[str, str]:
    address = model.get_email_field_name()
    return {model.USERNAME_FIELD: OWNER} | ({address: ADDRESS} if has_field(model, address) else {})
