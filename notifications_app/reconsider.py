"""A change of a person's preferences or of a channel's switch: what waits for quiet hours is judged again at once.

Whatever is sent is judged by what holds then (`judgement.py`); here is only decided when. A row that is put off while
the preferences change is found by `look_again`, after its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete

from alerts_app import lifecycle
from notifications_app import outbox, preferences, recipients
from notifications_app.models import NotificationSettings
from scheduler_app import bulk
from scheduler_app.clock import db_now
from scheduler_app.people import has_groups

LOGIN = frozenset({"last_login"})
NOTICED_S = 1.5
"""Within so long every worker has noticed a change of a switch."""


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
    if has_groups(model):
        members = model.groups.through
        m2m_changed.connect(_groups_changed, members, dispatch_uid=f"{uid}.groups")


def look_again(put_off: Iterable[PutOff], now: datetime) -> None:
    """Judge again those of `put_off` whose recipients have changed their quiet hours meanwhile.

    Called after the commit that put them off: a change that was committed before is seen here, and one that is
    committed later finds the rows (`_judge_again`).
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


def _judge_again(**what: Any) -> None:
    """As part of the change, and after its commit: a row may have been put off in between by what held then."""
    outbox.judge_again(**what)
    transaction.on_commit(lambda: outbox.judge_again(**what), robust=True)


def _settings_changed(instance: NotificationSettings, raw: bool = False, **_: Any) -> None:
    if raw:  # a fixture, whose users may come later
        return
    _judge_again(recipient=instance.pk)
    _tell_anew(recipients.names_of(instance.user))


def _user_changed(
    instance: Any,
    created: bool,
    raw: bool = False,
    update_fields: frozenset[str] | None = None,
    **_: Any,
) -> None:
    if raw or update_fields == LOGIN:
        return
    if not created:
        _judge_again(recipient=instance.pk)
    _tell_anew(recipients.names_of(instance))


def _user_leaves(instance: Any, **_: Any) -> None:
    """Before the deletion, which takes the recipient out of the rows."""
    outbox.judge_again(recipient=instance.pk)
    _tell_anew(recipients.names_of(instance))


def _groups_changed(instance: Any, action: str, pk_set: set[Any] | None, **_: Any) -> None:
    if action not in ("post_add", "post_remove", "pre_clear"):
        return
    if isinstance(instance, Group):
        names = {instance.name}
    elif pk_set is None:  # it leaves all its groups
        names = recipients.names_of(instance)
    else:
        names = set(Group.objects.filter(pk__in=pk_set).values_list("name", flat=True))
    _tell_anew(names)


def channel_changed(channel: str) -> None:
    """Its switch was turned."""
    _judge_again(channel=channel, in_s=NOTICED_S)
    transaction.on_commit(lambda: lifecycle.catch_up(db_now()), robust=True)


def _tell_anew(names: set[str]) -> None:
    """Let open alerts whose owner has one of `names`, or may have stand-ins by it, tell who was not told."""
    transaction.on_commit(lambda: _mark(names), robust=True)


def _mark(names: set[str]) -> None:
    if names & {*recipients.default_names(), recipients.SUPERUSERS}:
        lifecycle.catch_up(db_now())
        return
    owners = lifecycle.open_owners()
    ids = [pk for pk, owner in owners if names & set(recipients.names_in(owner))]
    if ids:
        lifecycle.catch_up(db_now(), ids)
