"""Jobs: what is scheduled, and what people with the permission may do with it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from scheduler_app import audience, declarations, mirror, parameters, requests, selectors
from scheduler_app.api.endpoint import Endpoint, caller
from scheduler_app.api.inputs import read
from scheduler_app.api.job_shapes import (
    JobChange,
    JobDetailShape,
    JobPage,
    JobQuery,
    JobShape,
    ResetRequest,
    RunRequest,
    Why,
)
from scheduler_app.api.paging import cut
from scheduler_app.api.runs import RunDetailShape
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.masking import restored
from scheduler_app.models import ScheduledJob
from scheduler_app.people import CHANGE_JOBS, RUN_JOBS


class Jobs(Endpoint):
    query_shape = JobQuery

    @operation("jobs", "jobs_list", query=JobQuery, answer=JobPage)
    def get(self, request: Request) -> Response:
        """The jobs that you may see by id, with what they did last, do next, and their figures."""
        limit = self.query["limit"]
        jobs = _wanted(audience.jobs(request.user), self.query).order_by("pk")[: limit + 1]
        rows, following = cut(request, jobs, limit, key="after")
        lines = selectors.job_lines(
            db_now(), ScheduledJob.objects.filter(pk__in=[j.pk for j in rows])
        )
        return Response({"next": following, "results": JobShape(lines, many=True).data})


class Job(Endpoint):
    to_write = CHANGE_JOBS

    @operation("jobs", "jobs_retrieve", answer=JobDetailShape)
    def get(self, request: Request, job_id: str) -> Response:
        """One job: its definition, where it differs from the job file, its next five runs."""
        return _detail(audience.job(request.user, _known(job_id)).pk)

    @operation("jobs", "jobs_partial_update", body=JobChange, answer=JobDetailShape)
    def patch(self, request: Request, job_id: str) -> Response:
        """Change fields outside the job file, at once; they stay changed until they are reset."""
        change = read(JobChange, request.data)
        why, revision = change.pop("why"), change.pop("revision", None)
        job = mirror.get(_known(job_id))
        values = _cleaned(job, change)
        _check_parameters(job, values)
        mirror.edit(job_id, values, by=caller(request), why=why, revision=revision)
        return _detail(job_id)


class Enable(Endpoint):
    to_write = CHANGE_JOBS

    @operation("jobs", "jobs_enable", body=Why, answer=JobDetailShape)
    def post(self, request: Request, job_id: str) -> Response:
        """Switch the job on; it runs from its next slot."""
        return _switch(request, job_id, enabled=True)


class Disable(Endpoint):
    to_write = CHANGE_JOBS

    @operation("jobs", "jobs_disable", body=Why, answer=JobDetailShape)
    def post(self, request: Request, job_id: str) -> Response:
        """Switch the job off."""
        return _switch(request, job_id, enabled=False)


class Reset(Endpoint):
    to_write = CHANGE_JOBS

    @operation("jobs", "jobs_reset", body=ResetRequest, answer=JobDetailShape)
    def post(self, request: Request, job_id: str) -> Response:
        """Give fields the values that the job file has."""
        names = read(ResetRequest, request.data).get("fields", ())
        mirror.reset(_known(job_id), names, by=caller(request))
        return _detail(job_id)


class RunNow(Endpoint):
    to_write = RUN_JOBS

    @operation("jobs", "jobs_run", body=RunRequest, answer=RunDetailShape, status=202)
    def post(self, request: Request, job_id: str) -> Response:
        """Queue a run outside the schedule; `Location` is where to follow it."""
        given = read(RunRequest, request.data).get("params")
        run = requests.run_now(_known(job_id), params=given, requested_by=caller(request))
        where = reverse("vigil_scheduler_api:run", args=[run.pk], request=request)
        return Response(RunDetailShape(run).data, status=202, headers={"Location": where})


def _wanted(jobs: QuerySet[ScheduledJob], query: dict[str, Any]) -> QuerySet[ScheduledJob]:
    lookups = {
        "owner": "owner",
        "category": "category",
        "enabled": "enabled",
        "state": "state",
        "last_state": "last_run__state",
        "after": "pk__gt",
    }
    chosen = {lookup: query[name] for name, lookup in lookups.items() if name in query}
    jobs = jobs.filter(**chosen)
    if text := query.get("q"):
        words = Q(id__icontains=text) | Q(name__icontains=text) | Q(description__icontains=text)
        jobs = jobs.filter(words)
    return jobs


def _detail(job_id: str) -> Response:
    now = db_now()
    job = mirror.get(_known(job_id))
    (line,) = selectors.job_lines(now, ScheduledJob.objects.filter(pk=job.pk))
    return Response(JobDetailShape(line, context={"now": now}).data)


def _switch(request: Request, job_id: str, *, enabled: bool) -> Response:
    why = read(Why, request.data)["why"]
    mirror.set_enabled(_known(job_id), enabled, by=caller(request), why=why)
    return _detail(job_id)


def _known(job_id: str) -> str:
    """An id that a database can be asked for; what is none can be no job's either."""
    return job_id.replace("\0", "\ufffd")


def _cleaned(job: ScheduledJob, change: dict[str, Any]) -> dict[str, Any]:
    """The new values by the rules of the job file; a secret that is sent masked stays. Raises ValidationError."""
    values, faults = {}, {}
    for name, value in change.items():
        try:
            values[name] = _clean(name, restored(value, getattr(job, name), name))
        except ValidationError as error:
            faults[name] = error.detail[name]  # type: ignore[call-overload]
    if faults:
        raise ValidationError(faults)
    return values


def _clean(name: str, value: Any) -> Any:
    try:
        return declarations.clean(name, value)
    except declarations.FieldError as error:
        raise ValidationError({name: [f"{error}. {error.hint}"]}) from None


def _check_parameters(job: ScheduledJob, values: dict[str, Any]) -> None:
    """Only where they are changed: who corrects an owner cannot be asked to mend the callable."""
    names = ("args", "kwargs", "params_schema")
    if any(name in values for name in names):
        wanted = (values.get(name, getattr(job, name)) for name in names)
        parameters.check(job.module, job.callable, *wanted)
