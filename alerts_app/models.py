"""Alerts and what happened to them. `intake.py` and `lifecycle.py` write these tables."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alerts_app.states import AlertState, OccurrenceKind, Source
from scheduler_app.masking import mask
from scheduler_app.states import Severity


class AlertRecord(models.Model):
    """One episode: from the first failure until it is resolved.

    `open_key` is the fingerprint while the episode lasts, else NULL; being unique it allows one open
    episode for each fingerprint.
    """

    fingerprint = models.CharField(_("fingerprint"), max_length=200)
    open_key = models.CharField(_("open key"), max_length=200, null=True, unique=True)
    source = models.CharField(_("source"), max_length=16, choices=Source.choices)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity.choices)
    category = models.CharField(_("category"), max_length=100, blank=True)
    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("text"), blank=True)
    labels = models.JSONField(_("labels"), default=dict, blank=True)
    owner = models.CharField(_("owner"), max_length=150, blank=True)
    link = models.CharField(_("link"), max_length=500, blank=True)
    state = models.CharField(
        _("state"), max_length=16, choices=AlertState.choices, default=AlertState.OPEN
    )
    occurrence_count = models.PositiveIntegerField(_("occurrences"), default=0)
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    notified_at = models.DateTimeField(_("last told"), null=True)
    catch_up_at = models.DateTimeField(_("told anew from"), null=True, editable=False)
    """From then on the next occurrence is fanned out to people and channels that were not told of the alert."""
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True)
    acknowledged_by = models.CharField(_("acknowledged by"), max_length=150, blank=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    resolved_by = models.CharField(_("resolved by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["state", "-id"], name="vigil_alert_state"),
            models.Index(fields=["fingerprint", "-id"], name="vigil_alert_fingerprint"),
        ]

    def __str__(self) -> str:
        return mask(self.title)


class AlertOccurrence(models.Model):
    """One time that it happened (or was over). `fan_out_due`: people are not told yet.

    `title`, `body` and `link` belong together: those of the alert are always the ones of its latest firing.
    """

    alert = models.ForeignKey(
        AlertRecord,
        verbose_name=_("alert"),
        on_delete=models.CASCADE,
        related_name="occurrences",
    )
    kind = models.CharField(_("kind"), max_length=16, choices=OccurrenceKind.choices)
    source_key = models.CharField(_("source key"), max_length=100, null=True, unique=True)
    happened_at = models.DateTimeField(_("happened"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    body = models.TextField(_("text"), blank=True)
    link = models.CharField(_("link"), max_length=500, blank=True)
    run_state = models.CharField(_("state of the run"), max_length=16, blank=True)
    run = models.BigIntegerField(_("run"), null=True)
    notifies = models.BooleanField(_("notifies"), default=False)
    fan_out_due = models.BooleanField(_("fan-out due"), default=False)

    class Meta:
        verbose_name = _("occurrence")
        verbose_name_plural = _("occurrences")
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["id"], name="vigil_occurrence_fan_out", condition=Q(fan_out_due=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.kind} {self.happened_at}"
