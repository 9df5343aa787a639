"""The state of each channel and its counts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class ChannelState(models.Model):
    """One row a channel. Written by `channel_states.py` alone."""

    channel = models.CharField(_("channel"), primary_key=True, max_length=32)
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("Off: messages end at once with an error.")
    )
    held = models.BooleanField(
        _("held"), default=False, help_text=_("Kill switch: messages wait, nothing is lost.")
    )
    owner = models.CharField(_("owner"), max_length=150, blank=True)
    rate_limit = models.CharField(_("rate limit"), max_length=32, blank=True)
    sla_failure_share = models.FloatField(_("failure share allowed"), default=0.05)
    escalate_after = models.PositiveIntegerField(_("escalate after"), null=True, blank=True)
    fallback = models.CharField(_("fallback"), max_length=32, blank=True)
    file_values = models.JSONField(_("values in the file"), default=dict)
    failures_in_a_row = models.PositiveIntegerField(_("failures in a row"), default=0)
    last_success_at = models.DateTimeField(_("last success"), null=True)
    last_failure_at = models.DateTimeField(_("last failure"), null=True)
    last_error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering: ClassVar = ["channel"]

    def __str__(self) -> str:
        return self.channel


class LaneState(models.Model):
    """What all workers keep to in one lane of a channel. Written by `lanes.py`; a lane without a row is free.

    A breaker that is open (`openings` > 0) is a pause; the first message after it is a probe. `refused_settings` is the
    digest of the channel's settings while the gateway refuses the channel for them, else "".
    """

    channel = models.CharField(_("channel"), max_length=32)
    lane = models.CharField(_("lane"), max_length=64, blank=True)
    paused_until = models.DateTimeField(_("paused until"), null=True)
    pause_reason = models.CharField(_("why paused"), max_length=200, blank=True)
    failures_in_a_row = models.PositiveIntegerField(_("failures in a row"), default=0)
    openings = models.PositiveIntegerField(_("openings of the breaker in a row"), default=0)
    refused_settings = models.CharField(
        _("settings that the gateway refuses"), max_length=32, blank=True
    )
    spent_until = models.DateTimeField(_("rate limit used up until"), null=True)

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["channel", "lane"], name="vigil_lane_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.lane}".strip()

    @property
    def why(self) -> str:
        """The reason of the pause, with the lane where the channel has several."""
        return f"{self.lane}: {self.pause_reason}" if self.lane else self.pause_reason


class DailyCount(models.Model):
    """Messages of a channel with a daily cap; `person` is "" for all of them. Written by `daily_counts.py`."""

    channel = models.CharField(_("channel"), max_length=32)
    day = models.DateField(_("day"))
    person = models.CharField(_("person"), max_length=300, blank=True)
    total = models.PositiveIntegerField(_("total"), default=0)

    class Meta:
        verbose_name = _("daily count")
        verbose_name_plural = _("daily counts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["channel", "day", "person"], name="vigil_daily_count_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.day} {self.person} {self.total}"


class ChannelTally(models.Model):
    """Attempts by outcome; rows whose hour is 1970-01-01 are the totals, others count an hour."""

    channel = models.CharField(_("channel"), max_length=32)
    hour = models.DateTimeField(_("hour (UTC)"))
    outcome = models.CharField(_("outcome"), max_length=16)
    total = models.BigIntegerField(_("total"), default=0)
    pruned = models.BigIntegerField(_("of them pruned"), default=0)

    class Meta:
        verbose_name = _("channel tally")
        verbose_name_plural = _("channel tallies")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hour", "channel", "outcome"], name="vigil_channel_tally"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.hour:%Y-%m-%dT%H} {self.outcome} {self.total}"


class GatewayTally(models.Model):
    """Histogram cells: `kind` is "gateway" (one call) or "latency" (alert to accepted)."""

    channel = models.CharField(_("channel"), max_length=32)
    hour = models.DateTimeField(_("hour (UTC)"))
    kind = models.CharField(_("kind"), max_length=16)
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    total = models.BigIntegerField(_("total"), default=0)
    sum_ms = models.FloatField(_("sum (ms)"), default=0)

    class Meta:
        verbose_name = _("gateway tally")
        verbose_name_plural = _("gateway tallies")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hour", "channel", "kind", "bucket"], name="vigil_gateway_tally"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.hour:%Y-%m-%dT%H} {self.kind}[{self.bucket}] {self.total}"
