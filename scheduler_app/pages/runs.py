"""The list of runs, and one run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from scheduler_app import audience, requests
from scheduler_app.errors import SchedulerError
from scheduler_app.masking import shown
from scheduler_app.models import JobRun
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.pages.keyset import portion
from scheduler_app.pages.reader import action, is_refresh, page
from scheduler_app.pages.rendering import render
from scheduler_app.people import CANCEL_RUNS
from scheduler_app.states import FAILED_STATES, OPEN_STATES, RunState
from scheduler_app.texts import typed

HOUR = timedelta(hours=1)
FAILED = "failed"
"""In an address: every state that counts as a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A moment of a run, and how long it took since the step before."""

    name: str
    at: datetime
    after_ms: float | None


@page
def run_list(request: HttpRequest) -> HttpResponse:
    job = typed(request.GET.get("job", ""))[:100]
    state = request.GET.get("state", "")
    hour = _hour(request.GET.get("hour", ""))
    runs = audience.runs(request.user).light()
    if job:
        runs = runs.filter(job_id=job)
    if state == FAILED:
        runs = runs.filter(state__in=[str(one) for one in FAILED_STATES])
    elif state in RunState.values:
        runs = runs.filter(state=state)
    if hour:
        runs = runs.filter(finished_at__gte=hour, finished_at__lt=hour + HOUR)
    context = {
        "runs": portion(request, runs),
        "job": job,
        "state": state,
        "hour": hour,
        "states": [(FAILED, _("all failures")), *RunState.choices],
        "is_filtered": bool(job or state or hour),
    }
    part = "_runs_live.html" if is_refresh(request) else "runs.html"
    return render(request, f"scheduler_app/{part}", context)


@page
def run_detail(request: HttpRequest, run_id: int) -> HttpResponse:
    seen = audience.runs(request.user)
    run = get_object_or_404(seen, pk=run_id)
    context = {
        "run": run,
        "steps": steps_of(run),
        "is_open": run.state in OPEN_STATES,
        "attempts": _attempts(run, seen),
        "params": json.dumps(shown(run.params), ensure_ascii=False) if run.params else "",
    }
    part = "_run_live.html" if is_refresh(request) else "run.html"
    return render(request, f"scheduler_app/{part}", context)


@action(SchedulerError, needs=CANCEL_RUNS)
def cancel(request: HttpRequest, run_id: int) -> str:
    run = requests.cancel(run_id, by=str(request.user.get_username()))
    if run.state == RunState.CANCELLED:
        return _("Run %(run)s is cancelled; it had not begun.") % {"run": run_id}
    text = _("Run %(run)s is asked to stop. A process is ended; a thread stops when it looks.")
    return text % {"run": run_id}


def steps_of(run: JobRun) -> list[Step]:
    """The moments of `run` in their order."""
    moments = [
        (_("due"), run.slot),
        (_("queued"), run.queued_at),
        (_("started"), run.started_at),
        (_("ended"), run.finished_at),
    ]
    steps: list[Step] = []
    for name, at in moments:
        if at is not None:
            after_ms = (at - steps[-1].at).total_seconds() * 1000 if steps else None
            steps.append(Step(name=name, at=at, after_ms=after_ms))
    return steps


def _attempts(run: JobRun, seen: RunQuerySet) -> QuerySet[JobRun]:
    """The other tries of the same slot, the first first; of a run by hand the first try."""
    runs = seen.light().exclude(pk=run.pk).order_by("pk")
    if run.slot is not None:
        return runs.filter(job_id=run.job_id, slot=run.slot)[:20]
    return runs.filter(pk=run.first_run)[:1] if run.first_run else runs.none()


def _hour(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    except ValueError:
        return None
