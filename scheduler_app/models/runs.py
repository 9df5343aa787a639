"""The ledger: one row for each run, or for a range of slots that did not run."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from scheduler_app.models.jobs import ScheduledJob
from scheduler_app.states import Reason, RunState, RunTrigger


class RunQuerySet(models.QuerySet["JobRun"]):
    def queued(self) -> RunQuerySet:
        return self.filter(state="QUEUED")

    def running(self) -> RunQuerySet:
        return self.filter(state="RUNNING")

    def light(self) -> RunQuerySet:
        """Without the wide columns, for lists."""
        return self.defer("log", "result", "traceback", "params", "late_result")


class JobRun(models.Model):
    """One run of a job. Written by `claims.py` (until it runs) and `ledger.py` (from then on)."""

    job = models.ForeignKey(
        ScheduledJob,
        verbose_name=_("job"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="runs",
    )
    epoch = models.BigIntegerField(_("schedule epoch"), null=True)
    trigger = models.CharField(_("started by"), max_length=16, choices=RunTrigger.choices)
    slot = models.DateTimeField(_("slot"), null=True)
    slot_last = models.DateTimeField(_("last slot of the range"), null=True)
    slot_count = models.PositiveIntegerField(_("slots"), default=1)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    first_run = models.BigIntegerField(_("first attempt"), null=True)
    state = models.CharField(_("state"), max_length=16, choices=RunState.choices)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices, blank=True)
    queue = models.CharField(_("queue"), max_length=100, default="default")
    params = models.JSONField(_("named arguments of this run"), null=True)
    requested_by = models.CharField(_("asked by"), max_length=150, blank=True)

    held = models.BooleanField(_("waits for another run of the job"), default=False)
    cancel_at = models.DateTimeField(_("asked to stop"), null=True)
    cancel_by = models.CharField(_("asked to stop by"), max_length=150, blank=True)
    next_try = models.BigIntegerField(_("tried again by"), null=True)

    ready_at = models.DateTimeField(_("ready"))
    queued_at = models.DateTimeField(_("queued"))
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    duration_ms = models.FloatField(_("duration (ms)"), null=True)
    cpu_s = models.FloatField(_("CPU time (s)"), null=True)
    peak_memory_mb = models.FloatField(_("peak memory (MB)"), null=True)
    queries = models.PositiveIntegerField(_("database queries"), null=True)

    node = models.BigIntegerField(_("node"), null=True)
    token = models.CharField(_("start token"), max_length=32, blank=True)
    progress = models.FloatField(_("progress (%)"), null=True)
    progress_text = models.CharField(_("progress"), max_length=200, blank=True)
    result = models.TextField(_("result"), blank=True)
    error = models.TextField(_("error"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    log = models.TextField(_("output"), blank=True)
    late_result = models.TextField(_("late result"), blank=True)
    announce_due = models.BooleanField(_("receivers not told yet"), default=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "slot", "attempt"], name="vigil_run_slot")
        ]
        indexes: ClassVar = [
            # claims.py take: the oldest that waits
            models.Index(
                fields=["ready_at", "id", "queue"],
                name="vigil_run_ready",
                condition=Q(state="QUEUED", held=False),
            ),
            # ledger.py: what a run that ends lets go
            models.Index(
                fields=["job", "id"], name="vigil_run_held", condition=Q(state="QUEUED", held=True)
            ),
            # nodes.py reap, claims.py overlap: what runs, and where
            models.Index(
                fields=["job", "node"], name="vigil_run_running", condition=Q(state="RUNNING")
            ),
            models.Index(fields=["job", "-id"], name="vigil_run_job"),
            # selectors.py: the latest failures
            models.Index(
                fields=["-finished_at"],
                name="vigil_run_failed",
                condition=Q(state__in=["FAILED", "TIMEOUT", "LOST", "MISSED"]),
            ),
            # ledger.py: signals that a receiver did not take
            models.Index(fields=["id"], name="vigil_run_announce", condition=Q(announce_due=True)),
            # retention.py: what is old enough to go
            models.Index(fields=["state", "finished_at"], name="vigil_run_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.pk}"

    @property
    def lag_ms(self) -> float | None:
        """From the moment at which it should have started until the body was called."""
        start = self.started_at
        return (start - self.ready_at).total_seconds() * 1000 if start else None


class LastRun(models.Model):
    """What each job did last, so that no page looks through the history. Written by `rollups.py`."""

    job = models.OneToOneField(
        ScheduledJob,
        verbose_name=_("job"),
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="last_run",
    )
    run = models.BigIntegerField(_("run"))
    state = models.CharField(_("state"), max_length=16, choices=RunState.choices)
    finished_at = models.DateTimeField(_("finished"))
    duration_ms = models.FloatField(_("duration (ms)"), null=True)
    cpu_s = models.FloatField(_("CPU time (s)"), null=True)
    peak_memory_mb = models.FloatField(_("peak memory (MB)"), null=True)
    queries = models.PositiveIntegerField(_("database queries"), null=True)
    error = models.CharField(_("error"), max_length=500, blank=True)
    succeeded_at = models.DateTimeField(_("last success"), null=True)
    failed_at = models.DateTimeField(_("last failure"), null=True)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    failures_in_row = models.PositiveIntegerField(_("failures in a row"), default=0)

    class Meta:
        verbose_name = _("last run")
        verbose_name_plural = _("last runs")

    def __str__(self) -> str:
        return f"{self.job_id} {self.state}"


class LastMiss(models.Model):
    """The slots that each job missed last, unbroken by a run. It stands until a run ends. Written by `rollups.py`."""

    job = models.OneToOneField(
        ScheduledJob,
        verbose_name=_("job"),
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="last_miss",
    )
    run = models.BigIntegerField(_("run"))
    since = models.DateTimeField(_("first of these slots"))
    missed_at = models.DateTimeField(_("found missing"))
    slots = models.PositiveIntegerField(_("slots"), default=0)

    class Meta:
        verbose_name = _("last miss")
        verbose_name_plural = _("last misses")

    def __str__(self) -> str:
        return f"{self.job_id} {self.slots}"
