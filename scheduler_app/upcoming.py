"""When a job runs next, for whoever reads of it."""

from __future__ import annotations

from datetime import datetime

from scheduler_app import epochs
from scheduler_app.errors import ScheduleError
from scheduler_app.models import ScheduledJob, ScheduleEpoch

NEXT_TIMES = 5


def next_times(job: ScheduledJob, now: datetime) -> list[datetime]:
    """The next slots of a job that is switched on; none where it is off or its schedule is broken."""
    if not epochs.is_on(job):
        return []
    epoch = ScheduleEpoch.objects.filter(job_id=job.pk, closed_at=None).order_by("-pk").first()
    anchor = epoch.opened_at if epoch else now
    try:
        return epochs.schedule_of(epochs.definition_of(job), anchor).next_times(now, NEXT_TIMES)
    except ScheduleError:
        return []
