"""A change of a person's preferences or of a channel's switch: what waits for quiet hours is judged again at once.

Whatever is sent is judged by what holds then (`judgement.py`); here is only decided when. A row that is put off while
the preferences change is found by `look_again`, after its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models.signals import post_delete, post_save, pre_delete

from notifications_app import outbox, preferences
from notifications_app.models import NotificationSettings
from scheduler_app import bulk

LOGIN = frozenset({"last_login"})


class PutOff(NamedTuple):
    """A row that waits for the end of its recipient's quiet hours."""

    recipient_id: Any
    severity: str
    due_at: datetime


def connect() -> None:
    model = get_user_model()
    uid = "notifications_app.reconsider"
    post_save.connect(_settings_changed, NotificationSettings, dispatch_uid=f"{uid}.saved")
    post_delete.connect(_settings_changed, NotificationSettings, dispatch_uid=f"{uid}.deleted")
    post_save.connect(_user_changed, model, dispatch_uid=f"{uid}.user")
    pre_delete.connect(_user_leaves, model, dispatch_uid=f"{uid}.user_leaves")


def look_again(put_off: Iterable[PutOff], now: datetime) -> None:
    """Judge again those of `put_off` whose recipients have changed their quiet hours meanwhile.

    Called after the commit that put them off: a change before it is seen here, one after it finds the rows.
    """
    rows = [row for row in put_off if row.recipient_id is not None]
    if not rows:
        return
    saved = bulk.by_pk(NotificationSettings, {row.recipient_id for row in rows})
    changed = {row.recipient_id for row in rows if _is_over(row, saved, now)}
    if changed:
        outbox.judge_again(recipient__in=changed)


def _is_over(row: PutOff, saved: dict[Any, NotificationSettings], now: datetime) -> bool:
    settings = saved.get(row.recipient_id) or NotificationSettings()
    until = preferences.quiet_until(settings, row.severity, now)
    return until is None or until < row.due_at


def _settings_changed(instance: NotificationSettings, **_: Any) -> None:
    outbox.judge_again(recipient=instance.pk)


def _user_changed(
    instance: Any, created: bool, update_fields: frozenset[str] | None = None, **_: Any
) -> None:
    if not created and update_fields != LOGIN:
        outbox.judge_again(recipient=instance.pk)


def _user_leaves(instance: Any, **_: Any) -> None:
    """Before the deletion, which takes the recipient out of the rows."""
    outbox.judge_again(recipient=instance.pk)
