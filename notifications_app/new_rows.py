"""The rows that tell people of an occurrence, before they are stored."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import channel_alarms, conf, preferences
from notifications_app.channels import registry
from notifications_app.channels.base import Channel, Person, Topic
from notifications_app.channels.system.channel import IN_APP
from notifications_app.errors import MissingAddressError
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.models.notifications import PRIORITY
from notifications_app.reach import Audience
from notifications_app.states import FINAL_STATES, NotificationKind, NotificationState, Reason

Key = tuple[str, str]
"""Person and channel."""
REMOVABLE = (
    Reason.NO_ADDRESS,
    Reason.CHANNEL_OFF,
    Reason.SWITCHED_OFF,
    Reason.BELOW_SEVERITY,
    Reason.PERSON_GONE,
)


def fire_rows(
    occurrence: AlertOccurrence, audience: Audience, now: datetime
) -> list[AlertNotification]:
    """A row for each person and each channel by which they want to be told; one in-app for each of the last resort."""
    alert = occurrence.alert
    about = channel_alarms.channel_of(alert)
    names = [name for name in registry.names() if name != about]
    rows = []
    for wishes in audience.told_by_wish:
        wanted = preferences.channels_for(wishes, alert.severity, names)
        # a recipient whose only channel is the one that the alert is about gets it in-app, whatever the switches say
        channels = wanted or ([IN_APP] if about else [])
        mine = rows_for(alert, occurrence, NotificationKind.FIRE, wishes, channels, now)
        if not wanted:
            for row in mine:
                row.reason = Reason.CHANNEL_OFF
        rows += mine
    for wishes in audience.last_resort:
        (row,) = rows_for(alert, occurrence, NotificationKind.FIRE, wishes, [IN_APP], now)
        row.due_at, row.reason = now, Reason.LAST_RESORT
        rows.append(row)
    return rows


def untold(
    rows: Sequence[AlertNotification],
    addresses: Mapping[tuple[int, Key], str],
    told: Iterable[tuple[int, Key]],
) -> list[AlertNotification]:
    """Those of the new `rows`, of occurrences that repeat open alerts, whose people were not told of the alert yet.

    `addresses` has the address of each person and channel that can be told now, by occurrence; `told` are other rows of
    the same transaction, by alert. One query.
    """
    now_at = {
        (row.alert_id, key_of(row)): addresses.get((row.occurrence_id, key_of(row))) for row in rows
    }
    known = set(told)
    fired = AlertNotification.objects.filter(
        alert__among={row.alert_id for row in rows}, kind=NotificationKind.FIRE
    )
    for row in fired:
        key = (row.alert_id, key_of(row))
        if key in now_at and not _was_untold(row, now_at[key]):
            known.add(key)
    found = []
    for row in rows:
        key = (row.alert_id, key_of(row))
        if (row.occurrence_id, key_of(row)) in addresses and key not in known:
            known.add(key)
            found.append(row)
    return found


def key_of(row: AlertNotification) -> Key:
    return row.recipient_key, row.channel


def _was_untold(row: AlertNotification, address: str | None) -> bool:
    """Whether the row ended for a reason that a change of preferences, address or channel removes."""
    if row.state not in (NotificationState.DEAD, NotificationState.SUPPRESSED):
        return False
    return row.reason in REMOVABLE or (row.reason == Reason.REFUSED and row.address != address)


def rows_for(
    alert: AlertRecord,
    occurrence: AlertOccurrence,
    kind: NotificationKind,
    wishes: NotificationSettings,
    channels: Sequence[str],
    now: datetime,
) -> list[AlertNotification]:
    """A new row for each of `channels`, that is due now, or at the end of the person's quiet hours."""
    quiet_until = preferences.quiet_until(wishes, alert.severity, now)
    person, topic = preferences.person_of(wishes), _topic(alert)
    return [
        AlertNotification(
            alert_id=alert.pk,
            occurrence_id=occurrence.pk,
            kind=kind,
            recipient_id=wishes.user.pk,
            recipient_key=person.key,
            recipient_name=person.name,
            channel=channel,
            lane=_lane(registry.shared(channel), person, topic),
            severity=alert.severity,
            priority=PRIORITY[alert.severity],
            flow=_flow(alert),
            reason=Reason.QUIET_HOURS if quiet_until else "",
            created_at=now,
            due_at=quiet_until or now,
            expires_at=now + timedelta(seconds=conf.get().EXPIRY_S[alert.severity]),
        )
        for channel in channels
    ]


FLOWS = 16


def _flow(alert: AlertRecord) -> int:
    """A number for the sender: what is alike in source, category and owner queues behind itself."""
    return zlib.crc32(f"{alert.source}:{alert.category}:{alert.owner}".encode()) % FLOWS


def _topic(alert: AlertRecord) -> Topic:
    return Topic(
        thread=str(alert.pk),
        severity=alert.severity,
        category=alert.category,
        owner=alert.owner,
        labels=alert.labels,
    )


def _lane(channel: Channel, person: Person, topic: Topic) -> str:
    try:
        return channel.lane(channel.address(person), topic)
    except MissingAddressError:  # told when it is sent
        return ""


def resolve_rows(occurrences: Sequence[AlertOccurrence], now: datetime) -> list[AlertNotification]:
    """The same people by the same channels, each behind the last firing that it was told."""
    told: defaultdict[int, dict[tuple[str, str], AlertNotification]] = defaultdict(dict)
    for firing in firings(occurrences).select_for_update().order_by("pk"):
        key = (firing.recipient_key, firing.channel)
        before = told[firing.alert_id].get(key)
        if before is None or not _is_better(before, firing):
            told[firing.alert_id][key] = firing
    return [
        _resolve_row(occurrence, firing, now)
        for occurrence in occurrences
        for firing in told[occurrence.alert_id].values()
    ]


def firings(occurrences: Sequence[AlertOccurrence]) -> QuerySet[AlertNotification]:
    """What was told of the alerts of `occurrences` when they fired."""
    alerts = {occurrence.alert_id for occurrence in occurrences}
    return AlertNotification.objects.filter(alert__among=alerts, kind=NotificationKind.FIRE)


def _is_better(before: AlertNotification, after: AlertNotification) -> bool:
    """Whether the earlier firing decides: one that arrived counts more than a later one that did not."""
    return before.state == NotificationState.SENT and after.state in FINAL_STATES


def _resolve_row(
    occurrence: AlertOccurrence, firing: AlertNotification, now: datetime
) -> AlertNotification:
    row = AlertNotification.like(
        firing,
        occurrence_id=occurrence.pk,
        kind=NotificationKind.RESOLVE,
        reason=Reason.LAST_RESORT if firing.reason == Reason.LAST_RESORT else Reason.NONE,
        created_at=now,
        due_at=now,
        expires_at=now + timedelta(seconds=conf.get().EXPIRY_S[firing.severity]),
    )
    if firing.state not in FINAL_STATES:
        row.held_by_id = firing.pk
    elif firing.state != NotificationState.SENT:
        row.state, row.reason = NotificationState.WITHDRAWN, Reason.FIRING_UNTOLD
        row.finished_at = now
    return row
