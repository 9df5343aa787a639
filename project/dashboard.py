"""The first page: what is wrong now, then everything at a glance. It reads figures, it computes none of its own.

Counts are of the whole site; what names a job is of the jobs that the reader may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from notifications_app.selectors import ChannelLine, channel_lines, queue_facts
from scheduler_app import audience, nodes, selectors
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, LastRun, Node, ScheduledJob
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.pages.heat_map import HeatMap, heat_map
from scheduler_app.pages.job_filters import LATE_AFTER, condition
from scheduler_app.pages.reader import is_refresh, page
from scheduler_app.people import VIEW_JOBS, may
from scheduler_app.states import NodeKind, RunState

JOBS_SHOWN = 50
FAILING_SHOWN = 5
LAST_RUNS_SHOWN = 5
FAILURE_THRESHOLD = int(getattr(settings, "FAILURE_THRESHOLD", 3))
"""A job with so many failures within an hour is marked in the heat map."""
SENDER = "send_alert_notifications"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A job's failed run, and whether it still matters."""

    run: JobRun
    is_over: bool
    """The job has succeeded since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourBar:
    """One hour of the chart of runs; heights are shares of the busiest hour, from 0 to 100."""

    hour: datetime
    x: int
    good: int
    bad: int
    good_height: float
    bad_height: float

    @property
    def good_y(self) -> float:
        return 100 - self.good_height

    @property
    def bad_y(self) -> float:
        """Failed ones stand on the others."""
        return self.good_y - self.bad_height


@page
def dashboard(request: HttpRequest) -> HttpResponse:
    part = "_dashboard_refresh.html" if is_refresh(request) else "dashboard.html"
    return render(request, part, facts(db_now(), request.user))


def facts(now: datetime, user: Any) -> dict[str, Any]:
    """Everything that the dashboard shows, in a fixed number of queries."""
    jobs = audience.jobs(user)
    named = None if may(user, VIEW_JOBS) else set(jobs.values_list("pk", flat=True))
    heat = heat_map(now, FAILURE_THRESHOLD, named)
    schedulers = nodes.living(NodeKind.SCHEDULER, now)
    channels = channel_lines(now)
    lines = selectors.job_lines(now, _worst_first(jobs)[:JOBS_SHOWN])
    return {
        "now": now,
        "failures": _failures(audience.runs(user)),
        "counts": _counts(now),
        "schedulers": schedulers,
        "last_tick": _last_tick(schedulers),
        "lines": lines,
        "late_before": now - LATE_AFTER,
        "jobs_shown": JOBS_SHOWN,
        "heat": heat,
        "bars": hour_bars(heat),
        "succeeded_24h": heat.succeeded.total(),
        "last_runs": _last_runs(named),
        "channels": channels,
        "sent_24h": sum(_tried(line)[0] for line in channels),
        "unsent_24h": sum(_tried(line)[1] for line in channels),
        "queue": queue_facts(now),
        "sender": SENDER,
        "sender_rate": _sender_rate(now),
    }


def hour_bars(heat: HeatMap) -> list[HourBar]:
    """Succeeded and failed runs of each hour."""
    most = max((heat.succeeded[hour] + heat.failed[hour] for hour in heat.hours), default=0) or 1
    bars = []
    for number, hour in enumerate(heat.hours):
        good, bad = heat.succeeded[hour], heat.failed[hour]
        bars.append(
            HourBar(
                hour=hour,
                x=number * 10,
                good=good,
                bad=bad,
                good_height=good / most * 100,
                bad_height=bad / most * 100,
            )
        )
    return bars


def _failures(runs: RunQuerySet) -> list[Failure]:
    """The failures that still matter, one a job, the newest first; where there is none, the last one that is over."""
    latest: dict[str, JobRun] = {}
    for run in selectors.latest_failures(runs, FAILING_SHOWN * 4):
        latest.setdefault(run.job_id, run)
    last = LastRun.objects.in_bulk(list(latest))
    failures = [
        Failure(run=run, is_over=_is_over(run, last.get(job_id))) for job_id, run in latest.items()
    ]
    return [failure for failure in failures if not failure.is_over][:FAILING_SHOWN] or failures[:1]


def _is_over(run: JobRun, last: LastRun | None) -> bool:
    succeeded_at = last.succeeded_at if last else None
    return bool(succeeded_at and run.finished_at and succeeded_at > run.finished_at)


def _counts(now: datetime) -> dict[str, int]:
    states = {
        name: Count("pk", filter=condition(name, now)) for name in ("failing", "late", "broken")
    }
    counts = ScheduledJob.objects.aggregate(jobs=Count("pk"), **states)
    return {**counts, "running": JobRun.objects.running().count()}


def _worst_first(jobs: QuerySet[ScheduledJob]) -> QuerySet[ScheduledJob]:
    failing = Q(enabled=True) & Q(last_run__state__in=("FAILED", "TIMEOUT", "LOST"))
    broken = Q(state="BROKEN")
    rank = Case(When(broken | failing, then=0), When(enabled=True, then=1), default=2)
    return jobs.order_by(rank, F("last_run__finished_at").desc(nulls_last=True), "id")


def _last_tick(schedulers: list[Node]) -> datetime | None:
    return max((node.tick_at for node in schedulers if node.tick_at), default=None)


def _last_runs(named: set[str] | None) -> list[LastRun]:
    last = LastRun.objects.order_by("-finished_at")
    return list((last if named is None else last.filter(pk__in=named))[:LAST_RUNS_SHOWN])


def _tried(line: ChannelLine) -> tuple[int, int]:
    """(accepted, failed) attempts of the last 24 hours."""
    good = line.recent["SENT"]
    bad = sum(line.recent[name] for name in ("TRANSIENT", "PERMANENT", "CONFIGURATION", "UNKNOWN"))
    return good, bad


def _sender_rate(now: datetime) -> float | None:
    """The share of the runs of the job that sends notifications that succeeded in the last 24 hours."""
    figures = selectors.figures(now, [SENDER])
    if SENDER not in figures:
        return None
    good, bad = figures[SENDER].recent[RunState.SUCCESS], figures[SENDER].recent_failed
    return good / (good + bad) if good + bad else None
