from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, register_converter
from django.urls.converters import StringConverter

from scheduler_app import converters  # noqa: F401 - registers the converter of ids
from scheduler_app.pages import job, jobs, nodes, runs
from scheduler_app.texts import typed


class JobId(StringConverter):
    """The id of a job in an address, which may have been pasted."""

    def to_python(self, value: str) -> str:
        return typed(value)


register_converter(JobId, "job")

app_name = "vigil_scheduler"
urlpatterns: list[URLPattern | URLResolver] = [
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/<job:job_id>/", job.job_detail, name="job"),
    path("jobs/<job:job_id>/enable/", job.enable, name="job-enable"),
    path("jobs/<job:job_id>/disable/", job.disable, name="job-disable"),
    path("jobs/<job:job_id>/run/", job.run, name="job-run"),
    path("jobs/<job:job_id>/reset/", job.reset, name="job-reset"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/<id:run_id>/", runs.run_detail, name="run"),
    path("nodes/", nodes.node_list, name="nodes"),
    path("runs/<id:run_id>/cancel/", runs.cancel, name="run-cancel"),
]
