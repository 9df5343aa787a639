"""Processes that hold work: schedulers and notification workers."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from scheduler_app.states import NodeKind, NodeState


class Node(models.Model):
    """One life of one process; a process that was declared dead comes back as a new row.

    Written by `nodes.py` alone.
    """

    kind = models.CharField(_("kind"), max_length=16, choices=NodeKind.choices)
    name = models.CharField(_("name"), max_length=200)
    pid = models.PositiveIntegerField(_("process id"))
    state = models.CharField(
        _("state"), max_length=16, choices=NodeState.choices, default=NodeState.ALIVE
    )
    version = models.CharField(_("version"), max_length=32, blank=True)
    lease_s = models.FloatField(_("lease (s)"))
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    tick_at = models.DateTimeField(_("last tick"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    file_digest = models.CharField(_("job file"), max_length=64, blank=True)
    file_problem = models.TextField(_("problem of the job file"), blank=True)
    slots_total = models.PositiveIntegerField(_("threads"), default=0)
    slots_busy = models.PositiveIntegerField(_("threads at work"), default=0)
    threads_died = models.PositiveIntegerField(_("threads that died"), default=0)
    clock_offset_ms = models.FloatField(_("clock offset (ms)"), default=0)
    queues = models.CharField(_("queues"), max_length=500, blank=True)
    draining = models.BooleanField(_("draining"), default=False)

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "heartbeat_at"], name="vigil_node_alive", condition=Q(state="ALIVE")
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"
