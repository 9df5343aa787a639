"""The one result row that bare Celery's no-op leaves."""

from __future__ import annotations

from django.db import models


class Result(models.Model):
    number = models.IntegerField()
    noted_at = models.DateTimeField()

    class Meta:
        app_label = "side"

    def __str__(self) -> str:
        return str(self.number)


class Notification(models.Model):
    """What a task of its own sends: one row, one update."""

    status = models.CharField(max_length=16, default="PENDING")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "side"

    def __str__(self) -> str:
        return f"{self.pk} {self.status}"
