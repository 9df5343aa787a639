"""One job: what is declared, what is in force, what it did and will do; and what can be done with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler_app import (
    audience,
    drift,
    epochs,
    mirror,
    requests,
    selectors,
    slots,
    upcoming,
    verify,
    zones,
)
from scheduler_app.clock import db_now
from scheduler_app.errors import ParameterError, SchedulerError, UnknownJobError
from scheduler_app.masking import shown
from scheduler_app.models import JobRun, ScheduledJob
from scheduler_app.pages.reader import action, is_refresh, page
from scheduler_app.pages.rendering import render
from scheduler_app.people import CHANGE_JOBS, RUN_JOBS, may
from scheduler_app.problems import LATE_AFTER
from scheduler_app.run_form import RunForm
from scheduler_app.slots import SlotLine

DECLARED = (
    "module", "callable", "owner", "category", "timezone", "args", "kwargs", "isolation",
    "timeout_s", "memory_mb", "overlap", "max_instances", "on_missed", "max_catch_up",
    "grace_s", "max_retries", "on_lost", "severity", "expected_s", "queue", "calendar", "blackouts", "jitter_s", "tags",
)  # fmt: skip
ROWS = 10
"""The chart shows all of the recent runs, the table below it so many."""
SLOT_ROWS = 1500
"""A day of a minutely job; of one that runs more often the page looks back less far."""
STRETCHES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A run in the chart; `height` is from 1 to 100."""

    run: JobRun
    height: float

    @property
    def top(self) -> float:
        return 100 - self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSlots:
    """What became of the slots since `since`: neighbours alike in one line, the newest first."""

    since: datetime
    stretches: list[SlotLine]
    left_out: int
    is_wrong: bool


@page
def job_detail(request: HttpRequest, job_id: str) -> HttpResponse:
    now = db_now()
    try:
        job = audience.job(request.user, job_id)
    except UnknownJobError as error:
        raise Http404(str(error)) from None
    (line,) = selectors.job_lines(now, ScheduledJob.objects.filter(pk=job_id))
    runs = selectors.recent_runs(job_id, audience.runs(request.user))
    context = {
        "job": job,
        "problem": epochs.problem_of(job),
        "line": line,
        "newest": runs[:ROWS],
        "bars": bars_of(runs),
        "late_before": now - LATE_AFTER,
    }
    if is_refresh(request):
        return render(request, "scheduler_app/_job_live.html", context)
    zone = _zone_of(job)
    context |= {
        "declared": [(job._meta.get_field(name), _shown(job, name)) for name in DECLARED],
        "job_zone": zones.label(zone, now),
        "next_times": [(at, _there(at, zone)) for at in upcoming.next_times(job, now)],
        "run_form": RunForm(job) if may(request.user, RUN_JOBS) else None,
        "drift": drift.differences(job),
        "slots": recent_slots(job_id, now),
        "findings": verify.about(job_id, now),
    }
    return render(request, "scheduler_app/job.html", context)


def bars_of(runs: list[JobRun]) -> list[Bar]:
    """The runs that took time, the oldest first, as shares of the longest."""
    longest = max((run.duration_ms or 0.0 for run in runs), default=0.0) or 1.0
    return [
        Bar(run=run, height=max((run.duration_ms or 0.0) / longest * 100, 4.0))
        for run in reversed(runs)
    ]


def recent_slots(job_id: str, now: datetime) -> RecentSlots:
    """Of the last 24 hours, or of the last `SLOT_ROWS` rows where there are more."""
    since = slots.newest(job_id, now - selectors.WINDOW, SLOT_ROWS)
    found = list(slots.stretches(slots.read(job_id, since, now)))
    return RecentSlots(
        since=since,
        stretches=found[: -STRETCHES - 1 : -1],
        left_out=max(len(found) - STRETCHES, 0),
        is_wrong=any(line.is_wrong for line in found),
    )


@action(SchedulerError, needs=CHANGE_JOBS)
def enable(request: HttpRequest, job_id: str) -> str:
    mirror.set_enabled(job_id, True, by=_name(request), why=_why(request))
    return _("%(job)s is switched on.") % {"job": job_id}


@action(SchedulerError, needs=CHANGE_JOBS)
def disable(request: HttpRequest, job_id: str) -> str:
    mirror.set_enabled(job_id, False, by=_name(request), why=_why(request))
    return _("%(job)s is switched off.") % {"job": job_id}


@action(SchedulerError, needs=CHANGE_JOBS)
def reset(request: HttpRequest, job_id: str) -> str:
    mirror.reset(job_id, by=_name(request))
    return _("%(job)s is as its file says again.") % {"job": job_id}


@action(SchedulerError, needs=RUN_JOBS)
def run(request: HttpRequest, job_id: str) -> str:
    form = RunForm(mirror.get(job_id), request.POST)
    if not form.is_valid():
        raise ParameterError(form.problems)
    queued = requests.run_now(job_id, params=form.params, requested_by=_name(request))
    return _("Run %(run)s of %(job)s is queued.") % {"run": queued.pk, "job": job_id}


def _zone_of(job: ScheduledJob) -> ZoneInfo:
    """The zone of the schedule; UTC for one that this machine does not know, whose job is BROKEN."""
    name = str(epochs.definition_of(job)["timezone"])
    return ZoneInfo(name if name in zones.names() else "UTC")


def _there(moment: datetime, zone: ZoneInfo) -> str:
    """The time in the job's zone, which is named; "" where the reader's clock shows the same."""
    there, here = moment.astimezone(zone), timezone.localtime(moment)
    return "" if there.utcoffset() == here.utcoffset() else f"{there:%m-%d %H:%M} {zone}"


def _shown(job: ScheduledJob, name: str) -> Any:
    """As the reader's language has it: the word of a choice, JSON for a structure."""
    word = getattr(job, f"get_{name}_display", None)
    value = word() if word else shown(getattr(job, name), name)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else value


def _name(request: HttpRequest) -> str:
    return str(request.user.get_username())


def _why(request: HttpRequest) -> str:
    return request.POST.get("why", "").replace("\0", "").strip()[:200]
