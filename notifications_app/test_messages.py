"""A test message takes the same way as every other: a row, a worker, the channel's own rules."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import AlertState, OccurrenceKind, Source
from notifications_app import conf, fan_out, preferences, queues
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationKind
from scheduler_app.clock import db_now
from scheduler_app.states import Severity


def send_test(channel: str, user: Any, *, by: str = "") -> AlertNotification:
    """Queue a test message to `user` by `channel`; preferences and quiet hours do not hold it up."""
    now = db_now()
    with transaction.atomic():
        alert = AlertRecord.objects.create(
            fingerprint=f"test:{channel}",
            source=Source.TEST,
            severity=Severity.INFO,
            title=_("Test message by %(channel)s") % {"channel": channel},
            body=_("If you can read this, %(channel)s works.") % {"channel": channel},
            owner=by,
            link=f"{conf.get().SITE_URL}/inbox/",
            state=AlertState.RESOLVED,
            occurrence_count=1,
            first_seen_at=now,
            last_seen_at=now,
            resolved_at=now,
        )
        occurrence = AlertOccurrence.objects.create(
            alert=alert, kind=OccurrenceKind.FIRE, happened_at=now, notifies=True
        )
        row = fan_out.row_for(
            alert, occurrence, NotificationKind.TEST, user, channel, now, preferences.of(user)
        )
        row.due_at, row.reason = now, ""
        row.save()
        transaction.on_commit(lambda: queues.ring([row.pk]), robust=True)
    return row
