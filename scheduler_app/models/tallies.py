"""Counts kept beside the rows they count. Written by `rollups.py` in the transaction of the rows.

Rows whose `hour` is `ALL_TIME` are the totals since the first run; all others count one UTC hour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC)
ALL_JOBS = ""


class RunTally(models.Model):
    """How many slots of a job ended in a state. `pruned` of the total are no longer kept as rows."""

    job = models.CharField(_("job id"), max_length=100)
    hour = models.DateTimeField(_("hour (UTC)"))
    state = models.CharField(_("state"), max_length=16)
    total = models.BigIntegerField(_("total"), default=0)
    pruned = models.BigIntegerField(_("of them pruned"), default=0)
    sum_ms = models.FloatField(_("sum of durations (ms)"), default=0)

    class Meta:
        verbose_name = _("run tally")
        verbose_name_plural = _("run tallies")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hour", "job", "state"], name="vigil_run_tally")
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.hour:%Y-%m-%dT%H} {self.state} {self.total}"


class DurationTally(models.Model):
    """A histogram cell: `kind` is "duration" (body, by job) or "lag" (ready to start, of ALL_JOBS together)."""

    job = models.CharField(_("job id"), max_length=100)
    hour = models.DateTimeField(_("hour (UTC)"))
    kind = models.CharField(_("kind"), max_length=16)
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    total = models.BigIntegerField(_("total"), default=0)
    sum_ms = models.FloatField(_("sum (ms)"), default=0)

    class Meta:
        verbose_name = _("duration tally")
        verbose_name_plural = _("duration tallies")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hour", "job", "kind", "bucket"], name="vigil_duration_tally"
            )
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.hour:%Y-%m-%dT%H} {self.kind}[{self.bucket}] {self.total}"
