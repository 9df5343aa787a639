"""Whoever cannot be reached by one channel is told by the channel's fallback, else in-app."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from notifications_app import channel_states, preferences, queues
from notifications_app.channels import registry
from notifications_app.channels.system.channel import IN_APP
from notifications_app.errors import MissingAddressError
from notifications_app.models import AlertNotification, ChannelState
from notifications_app.states import NotificationKind, Reason

Row = AlertNotification
NEVER = (NotificationKind.TEST, NotificationKind.SUMMARY)


def fall_back(rows: Sequence[Row], now: datetime) -> None:
    """Make sure that the people of `rows` (of one channel) have a row elsewhere. In the caller's transaction."""
    lost = [row for row in rows if row.channel != IN_APP and row.kind not in NEVER]
    if not lost:
        return
    name = _usable(lost[0].channel)
    made = [_row(row, name, now) for row in lost]
    Row.objects.bulk_create(made, ignore_conflicts=True)
    ids = [row.pk for row in rows]  # only a bell: the new rows' ids are not known
    transaction.on_commit(lambda: queues.ring(ids), robust=True)


def _usable(channel: str) -> str:
    """The fallback of `channel` while it is up, else the inbox."""
    state = ChannelState.objects.get(pk=channel)
    if state.fallback not in registry.names() or state.fallback == channel:
        return IN_APP
    other = channel_states.state_of(state.fallback)
    return IN_APP if channel_states.problem_of(other) else state.fallback


def _row(row: Row, name: str, now: datetime) -> Row:
    if name != IN_APP and not _reaches(row, name):
        name = IN_APP
    return row.another(channel=name, lane="", reason=Reason.CHANNEL_OFF, created_at=now, due_at=now)


def _reaches(row: Row, name: str) -> bool:
    """Whether the person wants `name` and has an address there."""
    if row.recipient is None:
        return False
    wishes = preferences.of(row.recipient)
    try:
        registry.shared(name).address(preferences.person_of(wishes))
    except MissingAddressError:
        return False
    wanted = preferences.wants(wishes, name)
    return wanted and preferences.is_severe_enough(wishes, name, row.severity)
