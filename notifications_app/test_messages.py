"""A test message takes the same way as every other: a row, a worker, the channel's own rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import AlertState, OccurrenceKind, Source
from notifications_app import conf, confirmation, lanes, new_rows, preferences, queues
from notifications_app.channels import registry
from notifications_app.errors import NotificationError
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationKind
from scheduler_app import links
from scheduler_app.clock import db_now
from scheduler_app.closest import suggestion
from scheduler_app.states import Severity


def send_test(
    channel: str, user: Any, *, by: str = "", is_limited: bool = False
) -> AlertNotification:
    """Queue a test message to `user` by `channel`; preferences and quiet hours do not hold it up.

    A gateway that refuses the channel is asked again at once.

    Raises NotificationError for a channel that there is not, TooManyError (where `is_limited`) for too many.
    """
    if channel not in registry.names():
        facts = {"channel": channel, "known": ", ".join(registry.names())}
        text = _("There is no channel %(channel)r: use %(known)s.") % facts
        raise NotificationError(f"{text} {suggestion(channel, registry.names())}".strip())
    now, wishes = db_now(), preferences.of(user)
    if is_limited:
        confirmation.check_rate(user, NotificationKind.TEST, now)
    with transaction.atomic():
        with translation.override(preferences.language_of(wishes)):
            alert = _alert(channel, by, now)
        occurrence = AlertOccurrence.objects.create(
            alert=alert,
            kind=OccurrenceKind.FIRE,
            happened_at=now,
            title=alert.title,
            link=alert.link,
            notifies=True,
        )
        (row,) = new_rows.rows_for(alert, occurrence, NotificationKind.TEST, wishes, [channel], now)
        row.due_at, row.reason = now, ""
        row.save()
        lanes.ask_again(Lane(row.channel, row.lane), now)
        transaction.on_commit(lambda: queues.ring([row.pk]), robust=True)
    return row


def _alert(channel: str, by: str, now: datetime) -> AlertRecord:
    """Worded in the language in force, and over from the beginning: it holds up no figure."""
    return AlertRecord.objects.create(
        fingerprint=f"test:{channel}",
        source=Source.TEST,
        severity=Severity.INFO,
        title=_("Test message by %(channel)s") % {"channel": channel},
        body=_("If you can read this, %(channel)s works.") % {"channel": channel},
        owner=by,
        link=links.absolute(conf.get().SITE_URL, "vigil_notifications:inbox"),
        state=AlertState.RESOLVED,
        occurrence_count=1,
        first_seen_at=now,
        last_seen_at=now,
        resolved_at=now,
    )
