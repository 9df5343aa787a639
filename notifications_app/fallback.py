"""Whoever cannot be reached by one channel is told by the channel's fallback, else in-app."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from notifications_app import channel_states, lanes, outbox, preferences, queues
from notifications_app.channels import registry
from notifications_app.channels.system.channel import IN_APP
from notifications_app.claims import ClaimedRow
from notifications_app.errors import MissingAddressError
from notifications_app.models import AlertNotification, ChannelState
from notifications_app.states import NotificationKind, Reason
from scheduler_app.clock import db_now
from scheduler_app.transactions import brief

Row = AlertNotification | ClaimedRow
NEVER = (NotificationKind.TEST, NotificationKind.CONFIRM, NotificationKind.SUMMARY)


def fall_back(rows: Sequence[Row], now: datetime) -> None:
    """Make sure that the people of `rows` (of one channel) have a row elsewhere. In the caller's transaction."""
    lost = [row for row in rows if row.channel != IN_APP and row.kind not in NEVER]
    if not lost:
        return
    name = _usable(lost[0].channel)
    people = get_user_model()._default_manager.in_bulk([row.recipient_id for row in lost])
    made = [_row(row, people.get(row.recipient_id), name, now) for row in lost]
    AlertNotification.objects.bulk_create(made, ignore_conflicts=True)
    ids = [row.pk for row in rows]  # only a bell: the new rows' ids are not known
    transaction.on_commit(lambda: queues.ring(ids), robust=True)


def help_orphans() -> None:
    """End what waits for a channel that is gone, and tell its people elsewhere."""
    with brief() as now:
        fall_back(outbox.end_orphans(), now)


def help_waiting() -> None:
    """Tell people elsewhere of what waits until the settings of a channel are mended."""
    for lane in lanes.refused(db_now()):
        with brief() as now:
            fall_back(outbox.await_mending(lane, now), now)


def _usable(channel: str) -> str:
    """The fallback of `channel` while it is up and its gateway does not refuse it, else the inbox."""
    state = ChannelState.objects.filter(pk=channel).first()
    if state is None or state.fallback not in registry.names() or state.fallback == channel:
        return IN_APP
    other = channel_states.state_of(state.fallback)
    is_refused = any(lane.channel == state.fallback for lane in lanes.refused(db_now()))
    return IN_APP if is_refused or channel_states.problem_of(other) else state.fallback


def _row(row: Row, person: Any, name: str, now: datetime) -> AlertNotification:
    is_second = row.reason == Reason.CHANNEL_OFF  # it is in the place of another message already
    if name != IN_APP and (is_second or not _reaches(person, name, row.severity)):
        name = IN_APP
    return AlertNotification.like(
        row, channel=name, lane="", reason=Reason.CHANNEL_OFF, created_at=now, due_at=now
    )


def _reaches(person: Any, name: str, severity: str) -> bool:
    """Whether `person` (a user, or nobody) wants `name` for `severity` and has an address there."""
    if person is None:
        return False
    wishes = preferences.of(person)
    try:
        registry.shared(name).address(preferences.person_of(wishes))
    except MissingAddressError:
        return False
    wanted = preferences.wants(wishes, name)
    return wanted and preferences.is_severe_enough(wishes, name, severity)
