"""The first page: what is wrong now, then everything at a glance. It reads figures, it computes none of its own.

Counts are of the whole site; what names a job is of the jobs that the reader may see.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, F, QuerySet, When
from django.http import HttpRequest, HttpResponse

from notifications_app.selectors import ChannelLine, channel_lines, queue_facts
from notifications_app.states import FAILURE_OUTCOMES
from scheduler_app import audience, nodes, problems, selectors
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, LastRun, Node, ScheduledJob
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.pages.heat_map import HeatMap, heat_map
from scheduler_app.pages.reader import is_refresh, page
from scheduler_app.pages.rendering import render
from scheduler_app.people import VIEW_JOBS, may
from scheduler_app.problems import LATE_AFTER
from scheduler_app.states import NodeKind, RunState
from scheduler_app.verdict import Group, Verdict, verdict
from scheduler_app.verify_report import Finding

JOBS_SHOWN = 50
PROBLEMS_SHOWN = 5
"""Of each kind; the rest is behind a link to the list of them."""
LAST_RUNS_SHOWN = 5
FAILURE_THRESHOLD = int(getattr(settings, "FAILURE_THRESHOLD", 3))
"""A job with so many failures within an hour is marked in the heat map."""
SENDER = "send_alert_notifications"


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
    judged = verdict(now)
    heat = heat_map(now, FAILURE_THRESHOLD, named)
    schedulers = nodes.living(NodeKind.SCHEDULER, now)
    channels = channel_lines(now)
    lines = selectors.job_lines(now, _worst_first(jobs)[:JOBS_SHOWN])
    return {
        "now": now,
        "verdict": judged,
        "wrong": _shown(judged, named),
        "last_failure": _last_failure(audience.runs(user)) if judged.ok else None,
        "counts": _counts(judged),
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


def _shown(
    judged: Verdict, named: Collection[str] | None
) -> list[tuple[Group, Sequence[Finding], int]]:
    """Each kind of problem with the first of them, and how many are left out.

    Only problems of the jobs in `named` (None: of all) are shown one by one; the others are counted.
    """
    seen = [
        (group, [one for one in group.problems if named is None or not one.job or one.job in named])
        for group in judged.groups
    ]
    return [
        (
            group,
            found[:PROBLEMS_SHOWN],
            len(group.problems) - min(len(found), PROBLEMS_SHOWN),
        )
        for group, found in seen
    ]


def _last_failure(runs: RunQuerySet) -> JobRun | None:
    """The latest of `runs` that failed or was missed, for when nothing is wrong now."""
    return next(iter(selectors.latest_failures(runs, 1)), None)


def _counts(judged: Verdict) -> dict[str, int]:
    return {
        **judged.counts,
        "jobs": ScheduledJob.objects.count(),
        "running": JobRun.objects.running().count(),
    }


def _worst_first(jobs: QuerySet[ScheduledJob]) -> QuerySet[ScheduledJob]:
    rank = Case(
        When(problems.broken() | problems.failing(), then=0), When(enabled=True, then=1), default=2
    )
    return jobs.order_by(rank, F("last_run__finished_at").desc(nulls_last=True), "id")


def _last_tick(schedulers: list[Node]) -> datetime | None:
    return max((node.tick_at for node in schedulers if node.tick_at), default=None)


def _last_runs(named: set[str] | None) -> list[LastRun]:
    last = LastRun.objects.order_by("-finished_at")
    return list((last if named is None else last.filter(pk__in=named))[:LAST_RUNS_SHOWN])


def _tried(line: ChannelLine) -> tuple[int, int]:
    """(accepted, failed) attempts of the last 24 hours."""
    good = line.recent["SENT"]
    bad = sum(line.recent[name] for name in FAILURE_OUTCOMES)
    return good, bad


def _sender_rate(now: datetime) -> float | None:
    """The share of the runs of the job that sends notifications that succeeded in the last 24 hours."""
    figures = selectors.figures(now, [SENDER])
    if SENDER not in figures:
        return None
    good, bad = figures[SENDER].recent[RunState.SUCCESS], figures[SENDER].recent_failed
    return good / (good + bad) if good + bad else None
