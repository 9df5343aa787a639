"""Which jobs and runs a person sees: all with permission to view them, else those of the jobs that the person owns."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from scheduler_app.errors import UnknownJobError
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.people import VIEW_JOBS, VIEW_RUNS, may, owned_by


def jobs(user: Any) -> QuerySet[ScheduledJob]:
    if may(user, VIEW_JOBS):
        return ScheduledJob.objects.all()
    return ScheduledJob.objects.filter(owned_by(user))


def job(user: Any, job_id: str) -> ScheduledJob:
    """Raises UnknownJobError also for a job that `user` may not see."""
    found = jobs(user).filter(pk=job_id).first()
    if found is None:
        raise UnknownJobError(_("There is no job %(job)r.") % {"job": job_id})
    return found


def runs(user: Any) -> RunQuerySet:
    if may(user, VIEW_RUNS):
        return JobRun.objects.all()
    owned = ScheduledJob.objects.filter(owned_by(user)).order_by()
    return JobRun.objects.filter(job_id__in=list(owned.values_list("pk", flat=True)))
