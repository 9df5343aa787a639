"""The mirror of the job file, the timetable that the engine reads, and the record of definitions."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from scheduler_app.states import (
    DstFold,
    DstGap,
    Isolation,
    JobState,
    OnLost,
    OnMissed,
    Overlap,
    Severity,
)

JOB_ID = RegexValidator(
    r"^[a-z0-9][a-z0-9_.-]{0,99}$",
    _("Lower-case letters, digits, dot, dash and underscore; at most 100 of them."),
)


class ScheduledJob(models.Model):
    """A declared job as it is in force: the file's values under the changes made in the admin.

    Written by `mirror.py` alone; those of schedulers that are watched by `watched_jobs.py`.
    """

    id = models.CharField(_("job id"), primary_key=True, max_length=100, validators=[JOB_ID])
    name = models.CharField(_("name"), max_length=200)
    module = models.CharField(_("module"), max_length=200)
    callable = models.CharField(_("callable"), max_length=200)
    cron = models.CharField(
        _("schedule"),
        max_length=200,
        help_text=_("Five-field cron, “every 15 s”, or “at 2026-12-01T02:00”."),
    )
    owner = models.CharField(
        _("owner"), max_length=150, help_text=_("A user name, an e-mail address or a group name.")
    )
    category = models.CharField(_("category"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    timezone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Empty: the site's zone.")
    )
    dst_gap = models.CharField(
        _("in the spring gap"), max_length=16, choices=DstGap.choices, default=DstGap.RUN_AFTER
    )
    dst_fold = models.CharField(
        _("in the autumn fold"), max_length=16, choices=DstFold.choices, default=DstFold.ONCE
    )
    calendar = models.CharField(_("calendar"), max_length=100, blank=True)
    blackouts = models.JSONField(_("blackout windows"), default=list, blank=True)
    jitter_s = models.FloatField(
        _("jitter (s)"), default=0, help_text=_("Starts are spread over so long after the slot.")
    )
    args = models.JSONField(_("positional arguments"), default=list, blank=True)
    kwargs = models.JSONField(_("named arguments"), default=dict, blank=True)
    params_schema = models.JSONField(_("JSON Schema of the arguments"), default=dict, blank=True)
    timeout_s = models.FloatField(_("time limit (s)"), null=True, blank=True)
    isolation = models.CharField(
        _("isolation"), max_length=16, choices=Isolation.choices, blank=True,
        help_text=_("Where its code runs; empty: as the site says (SCHEDULER_ISOLATION)."),
    )  # fmt: skip
    memory_mb = models.PositiveIntegerField(
        _("memory limit (MB)"), null=True, blank=True,
        help_text=_("How much its process may allocate; more is a MemoryError there."),
    )  # fmt: skip
    max_instances = models.PositiveIntegerField(_("runs at once"), default=1)
    overlap = models.CharField(
        _("overlap"), max_length=16, choices=Overlap.choices, default=Overlap.SKIP
    )
    grace_s = models.FloatField(_("grace (s)"), null=True, blank=True)
    on_missed = models.CharField(
        _("missed slots"), max_length=16, choices=OnMissed.choices, default=OnMissed.LATEST
    )
    max_catch_up = models.PositiveIntegerField(_("catch up at most"), default=1)
    max_retries = models.PositiveIntegerField(_("retries"), default=0)
    retry_backoff_s = models.FloatField(_("back-off (s)"), default=60)
    retry_on = models.JSONField(
        _("retry on"), default=list, blank=True, help_text=_("Names of exceptions; empty: all.")
    )
    on_lost = models.CharField(
        _("when lost"), max_length=16, choices=OnLost.choices, default=OnLost.ALERT
    )
    queue = models.CharField(_("queue"), max_length=100, default="default")
    severity = models.CharField(
        _("severity"), max_length=16, choices=Severity.choices, default=Severity.ERROR
    )
    expected_s = models.FloatField(_("expected duration (s)"), null=True, blank=True)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    keep_successes_days = models.PositiveIntegerField(
        _("keep successes (d)"), null=True, blank=True
    )
    keep_failures_days = models.PositiveIntegerField(_("keep failures (d)"), null=True, blank=True)

    state = models.CharField(
        _("state"), max_length=16, choices=JobState.choices, default=JobState.ACTIVE
    )
    state_error = models.TextField(_("what is broken"), blank=True)
    source = models.CharField(_("declared in"), max_length=200)
    file_values = models.JSONField(_("values in the file"), default=dict)
    overrides = models.JSONField(_("changes made here"), default=dict)
    revision = models.PositiveIntegerField(_("revision"), default=1)
    created_at = models.DateTimeField(_("first seen"))
    updated_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering: ClassVar = ["id"]
        permissions: ClassVar = [("run_scheduledjob", "Can run job")]

    def __str__(self) -> str:
        return self.id


class Timetable(models.Model):
    """One narrow row a job: when it is due next. NULL: never (disabled or broken).

    Everybody who touches several tables of a job locks this row first.
    """

    job = models.OneToOneField(
        ScheduledJob,
        verbose_name=_("job"),
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="timetable",
    )
    next_run_time = models.DateTimeField(_("next run"), null=True)
    epoch = models.BigIntegerField(_("schedule epoch"))

    class Meta:
        verbose_name = _("timetable row")
        verbose_name_plural = _("timetable")
        indexes: ClassVar = [
            # claims.py: what is due
            models.Index(
                fields=["next_run_time"],
                name="vigil_timetable_due",
                condition=models.Q(next_run_time__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_id} {self.next_run_time}"


class ScheduleEpoch(models.Model):
    """A span in which a job was enabled with one definition; the ledger is checked against it.

    Its slots are those of `definition` in (`opened_at`, `closed_at`]. Rows of slots up to `pruned_until` (written by
    `retention.py`) may be gone.
    """

    job = models.ForeignKey(
        ScheduledJob,
        verbose_name=_("job"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="epochs",
    )
    definition = models.JSONField(_("definition"))
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("closed"), null=True)
    pruned_until = models.DateTimeField(_("pruned up to"), null=True)
    reason = models.CharField(_("opened by"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("schedule epoch")
        verbose_name_plural = _("schedule epochs")

    def __str__(self) -> str:
        return f"{self.job_id} #{self.pk}"


class JobGate(models.Model):
    """Locked while a node decides whether a job that may not overlap starts."""

    job = models.OneToOneField(
        ScheduledJob, verbose_name=_("job"), primary_key=True, on_delete=models.CASCADE
    )

    class Meta:
        verbose_name = _("job gate")
        verbose_name_plural = _("job gates")

    def __str__(self) -> str:
        return self.job_id


class SyncedFile(models.Model):
    """A version of a job file that was synced; the one with the highest id is in force."""

    source = models.CharField(_("job file"), max_length=200)
    digest = models.CharField(_("digest"), max_length=64)
    synced_at = models.DateTimeField(_("synced"))

    class Meta:
        verbose_name = _("synced file")
        verbose_name_plural = _("synced files")

    def __str__(self) -> str:
        return f"{self.source} {self.digest[:12]}"


class CalendarDay(models.Model):
    """A day of a calendar that the published data have not, or have wrong."""

    calendar = models.CharField(_("calendar"), max_length=100)
    day = models.DateField(_("day"))
    is_open = models.BooleanField(_("working day"))
    name = models.CharField(_("name"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("calendar day")
        verbose_name_plural = _("calendar days")
        ordering: ClassVar = ["calendar", "day"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["calendar", "day"], name="vigil_calendar_day")
        ]

    def __str__(self) -> str:
        return f"{self.calendar} {self.day}"
