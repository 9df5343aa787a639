"""The list of jobs."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from scheduler_app import audience, selectors
from scheduler_app.clock import db_now
from scheduler_app.models import ScheduledJob
from scheduler_app.pages.job_filters import SORTS, STATES, JobFilter
from scheduler_app.pages.reader import is_refresh, page
from scheduler_app.pages.rendering import render
from scheduler_app.problems import LATE_AFTER

JOBS_A_PAGE = 100


@page
def job_list(request: HttpRequest) -> HttpResponse:
    now = db_now()
    wanted = JobFilter.from_query(request.GET.dict())
    seen = audience.jobs(request.user)
    jobs = wanted.apply(seen, now)
    shown = Paginator(jobs, JOBS_A_PAGE).get_page(request.GET.get("page"))
    first = max(shown.start_index() - 1, 0)
    context = {
        "filter": wanted,
        "shown": shown,
        "lines": selectors.job_lines(now, jobs[first : first + JOBS_A_PAGE]),
        "late_before": now - LATE_AFTER,
        "states": STATES,
        "sorts": list(SORTS),
        "owners": _values(seen, "owner"),
        "categories": _values(seen, "category"),
        "any": seen.exists(),
    }
    part = "_jobs_live.html" if is_refresh(request) else "jobs.html"
    return render(request, f"scheduler_app/{part}", context)


def _values(jobs: QuerySet[ScheduledJob], name: str) -> list[str]:
    rows = jobs.exclude(**{name: ""}).order_by(name).values_list(name, flat=True)
    return list(rows.distinct()[:200])
