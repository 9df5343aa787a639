"""The outbox: one row for each thing told to one person by one channel, and each attempt at it."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alerts_app.models import AlertOccurrence, AlertRecord
from notifications_app import conf
from notifications_app.states import AttemptOutcome, NotificationKind, NotificationState, Reason
from scheduler_app.states import Severity

PRIORITY = {severity: number for number, severity in enumerate(reversed(Severity.values))}
"""CRITICAL is 0 and goes first."""
WAITING = Q(
    state__in=["PENDING", "FAILED", "UNKNOWN"], held_by__isnull=True, carried_by__isnull=True
)
"""What goes out by itself once it is due; the words of the partial indexes, so of every query that wants them."""


class AlertNotification(models.Model):
    """Written by `fan_out.py` (birth), `claims.py`, `outbox.py` (end) and `summaries.py`; `read_at` by `inbox.py`.

    `lane` is the target within the channel (a robot, a host), `flow` a number for whoever sends so much, so that one
    flood starves nobody else. A row of the kind SUMMARY carries others of the same person and channel: only the
    carrier is claimed, and they share its end. A row of the channel SYSTEM that is SENT is the person's inbox entry.
    """

    uuid = models.UUIDField(_("message id"), default=uuid.uuid4, unique=True, editable=False)
    alert = models.ForeignKey(
        AlertRecord,
        verbose_name=_("alert"),
        on_delete=models.CASCADE,
        related_name="notifications",
    )
    occurrence = models.ForeignKey(
        AlertOccurrence,
        verbose_name=_("occurrence"),
        on_delete=models.CASCADE,
        related_name="notifications",
        db_index=False,  # the unique constraint begins with it
    )
    kind = models.CharField(_("kind"), max_length=16, choices=NotificationKind.choices)
    recipient = models.ForeignKey(
        conf.auth_user_model(),
        verbose_name=_("recipient"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="vigil_notifications",
    )
    recipient_key = models.CharField(_("recipient key"), max_length=300)
    recipient_name = models.CharField(_("recipient's name"), max_length=150, blank=True)
    channel = models.CharField(_("channel"), max_length=32)
    lane = models.CharField(_("lane"), max_length=64, blank=True)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity.choices)
    priority = models.PositiveSmallIntegerField(_("priority"))
    flow = models.PositiveSmallIntegerField(_("flow"), default=0)
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=NotificationState.choices,
        default=NotificationState.PENDING,
    )
    reason = models.CharField(_("reason"), max_length=32, choices=Reason.choices, blank=True)
    error_message = models.TextField(_("error of the last attempt"), blank=True)
    held_by = models.ForeignKey(
        "self",
        verbose_name=_("held by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="holds",
        db_index=False,
    )
    carried_by = models.ForeignKey(
        "self",
        verbose_name=_("part of the summary"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="carries",
        db_index=False,
    )
    created_at = models.DateTimeField(_("created"))
    due_at = models.DateTimeField(_("due"))
    expires_at = models.DateTimeField(_("of no use after"))
    finished_at = models.DateTimeField(_("ended"), null=True)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    lost_claims = models.PositiveIntegerField(_("claims lost"), default=0)
    lease_token = models.CharField(_("lease token"), max_length=32, blank=True)
    lease_until = models.DateTimeField(_("leased until"), null=True)
    worker = models.BigIntegerField(_("worker"), null=True)
    address = models.CharField(_("address"), max_length=254, blank=True)
    read_at = models.DateTimeField(_("read"), null=True)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["occurrence", "kind", "recipient_key", "channel"],
                name="vigil_notification_once",
            )
        ]
        indexes: ClassVar = [
            # lanes.py and claims.py: what is due in a lane
            models.Index(
                fields=["channel", "lane", "priority", "flow", "due_at", "id"],
                name="vigil_notification_due",
                condition=WAITING & Q(lost_claims=0),
            ),
            # claims.py: what a worker died with
            models.Index(
                fields=["due_at", "id"],
                name="vigil_notification_suspect",
                condition=WAITING & Q(lost_claims__gt=0),
            ),
            # outbox.py and summaries.py: what follows the end of another row
            models.Index(
                fields=["held_by"],
                name="vigil_notification_held",
                condition=Q(held_by__isnull=False),
            ),
            models.Index(
                fields=["carried_by"],
                name="vigil_notification_carried",
                condition=Q(carried_by__isnull=False),
            ),
            # summaries.py: how much a person got lately
            models.Index(
                fields=["recipient_key", "channel", "created_at"],
                name="vigil_notification_lately",
                condition=~Q(channel="SYSTEM"),
            ),
            # summaries.py: which summary of a person takes rows in
            models.Index(
                fields=["recipient_key"],
                name="vigil_notification_carrier",
                condition=Q(kind="SUMMARY", state__in=["PENDING", "FAILED", "UNKNOWN"]),
            ),
            # outbox.py: whose lease is over
            models.Index(
                fields=["lease_until"],
                name="vigil_notification_lease",
                condition=Q(state="SENDING"),
            ),
            # inbox.py: what a person has not read
            models.Index(
                fields=["recipient", "-id"],
                name="vigil_notification_inbox",
                condition=Q(channel="SYSTEM", state="SENT"),
            ),
            models.Index(fields=["state", "finished_at"], name="vigil_notification_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.channel} {self.recipient_key}"

    @classmethod
    def like(cls, row: Any, **fields: Any) -> AlertNotification:
        """A new row for the person of `row` about the same happening, as far as `fields` say nothing else."""
        same = (
            "alert_id", "occurrence_id", "kind", "recipient_id", "recipient_key", "recipient_name",
            "channel", "lane", "severity", "priority", "flow", "expires_at",
        )  # fmt: skip
        return cls(**{name: getattr(row, name) for name in same} | fields)


class DeliveryAttempt(models.Model):
    """One call of a gateway (or the refusal to make it) and what came back, secrets removed."""

    notification = models.ForeignKey(
        AlertNotification,
        verbose_name=_("notification"),
        on_delete=models.CASCADE,
        related_name="attempts",
    )
    channel = models.CharField(_("channel"), max_length=32)
    number = models.PositiveIntegerField(_("try"))
    started_at = models.DateTimeField(_("started"))
    gateway_ms = models.FloatField(_("gateway (ms)"), default=0)
    outcome = models.CharField(_("outcome"), max_length=16, choices=AttemptOutcome.choices)
    code = models.CharField(_("code"), max_length=64, blank=True)
    error = models.TextField(_("error"), blank=True)
    answer = models.TextField(_("answer"), blank=True)
    worker = models.BigIntegerField(_("worker"), null=True)
    was_late = models.BooleanField(_("after its lease"), default=False)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.notification_id} #{self.number} {self.outcome}"
