"""The API of this app, each address with and without a slash at its end."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from scheduler_app.api import figures, jobs, nodes, runs, slots, verification
from scheduler_app.api.paging import ID
from scheduler_app.api.routes import route

JOB = "scheduler/jobs/(?P<job_id>[^/]+)"
RUN = f"scheduler/runs/(?P<run_id>{ID})"

app_name = "vigil_scheduler_api"
urlpatterns: list[URLPattern | URLResolver] = [
    route("scheduler/jobs", jobs.Jobs, "jobs"),
    route(JOB, jobs.Job, "job"),
    route(f"{JOB}/enable", jobs.Enable, "job-enable"),
    route(f"{JOB}/disable", jobs.Disable, "job-disable"),
    route(f"{JOB}/run", jobs.RunNow, "job-run"),
    route(f"{JOB}/reset", jobs.Reset, "job-reset"),
    route("scheduler/runs", runs.Runs, "runs"),
    route(RUN, runs.Run, "run"),
    route(f"{RUN}/cancel", runs.Cancel, "run-cancel"),
    route("scheduler/slots", slots.Slots, "slots"),
    route("scheduler/nodes", nodes.Nodes, "nodes"),
    route("scheduler/verify", verification.Verification, "verify"),
    route("scheduler/metrics", figures.Metrics, "metrics"),
    route("scheduler/metrics/prometheus", figures.Exposition, "exposition"),
]
