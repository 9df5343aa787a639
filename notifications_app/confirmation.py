"""An e-mail address that a person enters is used after its reader has confirmed it, by a link that only goes there.

Until then messages go where they went before. Test and confirmation messages are limited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.translation import gettext as _

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.states import AlertState, OccurrenceKind, Source
from notifications_app import conf, new_rows, preferences, queues
from notifications_app.audience import CHANGE_SETTINGS
from notifications_app.errors import TooManyError
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.states import NotificationKind
from scheduler_app.clock import db_now
from scheduler_app.people import may
from scheduler_app.states import Severity

CHANNEL = "EMAIL"
VALID = timedelta(days=1)
PER_PERSON, PERIOD = 5, timedelta(minutes=10)
PER_TARGET, TARGET_PERIOD = 3, timedelta(days=1)
SALT = "notifications_app.confirmation"


def save_own(user: Any, changes: Mapping[str, Any]) -> NotificationSettings:
    """Write what `user` wants; a new e-mail address waits until it is confirmed. TooManyError: nothing is written.

    The address of the account needs no confirmation, nor does one of a person who may change the settings of others.
    """
    address = str(changes.get("email", ""))
    before = preferences.of(user)
    if "email" not in changes or address == before.email:
        return preferences.save(user, changes)
    account = str(getattr(user, user.get_email_field_name(), "") or "")
    if address in ("", account) or may(user, CHANGE_SETTINGS):
        return preferences.save(user, {**changes, "email_pending": ""})
    _ask(user, address)
    kept = {**changes, "email": before.email, "email_pending": address}
    return preferences.save(user, kept)


def check_rate(user: Any, kind: NotificationKind, now: datetime) -> None:
    """Raises TooManyError when `user` has asked for as many messages of `kind` as are sent at once."""
    asked = AlertNotification.objects.filter(recipient=user, kind=kind, created_at__gt=now - PERIOD)
    _refuse(asked, PER_PERSON, PERIOD)


def link_for(user_pk: Any, address: str) -> str:
    """Goes into the message alone: who only sees the notification on a page cannot confirm."""
    token = signing.dumps([str(user_pk), address], salt=SALT)
    try:
        return conf.get().SITE_URL.rstrip("/") + reverse(
            "vigil_notifications:confirm", args=[token]
        )
    except NoReverseMatch:
        return ""


def waiting(token: str) -> NotificationSettings | None:
    """The settings whose pending address `token` confirms; None for one that is old, forged or of another address."""
    try:
        key, address = signing.loads(token, salt=SALT, max_age=VALID)
    except signing.BadSignature:
        return None
    return NotificationSettings.objects.filter(pk=key, email_pending=address).first()


def confirm(settings: NotificationSettings) -> None:
    """The address is the person's from now on."""
    changed = {"email": settings.email_pending, "email_pending": ""}
    NotificationSettings.objects.filter(
        pk=settings.pk, email_pending=settings.email_pending
    ).update(**changed)


def _ask(user: Any, address: str) -> None:
    """Queue the message with the link. Raises TooManyError."""
    now, wishes = db_now(), preferences.of(user)
    fingerprint = f"confirm:{hashlib.sha256(address.lower().encode()).hexdigest()[:40]}"
    check_rate(user, NotificationKind.CONFIRM, now)
    to_target = AlertRecord.objects.filter(
        fingerprint=fingerprint, first_seen_at__gt=now - TARGET_PERIOD
    )
    _refuse(to_target, PER_TARGET, TARGET_PERIOD)
    with transaction.atomic():
        with translation.override(preferences.language_of(wishes)):
            title = _("Confirm this e-mail address")
            body = _(
                "%(person)s wants messages of this site at this address. If that is not you, do nothing."
            ) % {"person": preferences.name_of(user)}
        alert = AlertRecord.objects.create(
            fingerprint=fingerprint,
            source=Source.TEST,
            severity=Severity.INFO,
            title=title,
            body=body,
            state=AlertState.RESOLVED,
            occurrence_count=1,
            first_seen_at=now,
            last_seen_at=now,
            resolved_at=now,
        )
        occurrence = AlertOccurrence.objects.create(
            alert=alert, kind=OccurrenceKind.FIRE, happened_at=now, notifies=True
        )
        kind = NotificationKind.CONFIRM
        (row,) = new_rows.rows_for(alert, occurrence, kind, wishes, [CHANNEL], now)
        row.due_at, row.reason, row.address = now, "", address
        row.save()
        transaction.on_commit(lambda: queues.ring([row.pk]), robust=True)


def _refuse(asked: QuerySet[Any], most: int, period: timedelta) -> None:
    if asked.order_by()[:most].count() >= most:
        minutes = int(period.total_seconds() // 60)
        text = _("Only %(count)s such messages are sent in %(minutes)s minutes: try again later.")
        raise TooManyError(text % {"count": most, "minutes": minutes})
