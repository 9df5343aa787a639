"""Runs: what ran, when, and what came of it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler_app import audience, requests
from scheduler_app.api.endpoint import Endpoint, caller
from scheduler_app.api.inputs import Typed
from scheduler_app.api.outputs import Masked, MaskedJSON, word
from scheduler_app.api.paging import Page, PageQuery, page_of
from scheduler_app.api.schema import operation
from scheduler_app.models import JobRun
from scheduler_app.models.runs import RunQuerySet
from scheduler_app.people import CANCEL_RUNS
from scheduler_app.states import Reason, RunState, RunTrigger


class RunQuery(PageQuery):
    job = Typed(required=False, max_length=100)
    state = serializers.ChoiceField(RunState.choices, required=False)
    since = serializers.DateTimeField(required=False, help_text="Queued at this time or later.")
    until = serializers.DateTimeField(required=False, help_text="Queued before this time.")


class RunShape(serializers.Serializer[Any]):
    run_id = serializers.IntegerField(source="pk")
    job_id = serializers.CharField()
    state = word(RunState)
    reason = word(Reason)
    trigger = word(RunTrigger)
    attempt = serializers.IntegerField()
    first_run = serializers.IntegerField(allow_null=True, help_text="The first attempt.")
    slot = serializers.DateTimeField(allow_null=True)
    slot_last = serializers.DateTimeField(allow_null=True, help_text="The end of a range of slots.")
    slot_count = serializers.IntegerField()
    requested_by = serializers.CharField()
    cancel_at = serializers.DateTimeField(allow_null=True, help_text="When it was asked to stop.")
    cancel_by = serializers.CharField()
    ready_at = serializers.DateTimeField()
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    lag_ms = serializers.FloatField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)
    cpu_s = serializers.FloatField(allow_null=True)
    peak_memory_mb = serializers.FloatField(
        allow_null=True, help_text="Of a process; null for a thread."
    )
    queries = serializers.IntegerField(allow_null=True, help_text="Database statements.")
    node = serializers.IntegerField(allow_null=True)
    progress = serializers.FloatField(allow_null=True)
    progress_text = Masked()
    error = Masked()


class RunDetailShape(RunShape):
    params = MaskedJSON(allow_null=True)
    result = Masked()
    traceback = Masked()
    log = Masked(help_text="What the job logged and printed: the head and the tail of it.")
    late_result = Masked()


class RunPage(Page):
    results = RunShape(many=True)


class Runs(Endpoint):
    query_shape = RunQuery

    @operation("runs", "runs_list", query=RunQuery, answer=RunPage)
    def get(self, request: Request) -> Response:
        """The runs that you may see, the newest first."""
        rows, following = page_of(
            request, _wanted(audience.runs(request.user), self.query), self.query
        )
        return Response({"next": following, "results": RunShape(rows, many=True).data})


class Run(Endpoint):
    @operation("runs", "runs_retrieve", answer=RunDetailShape)
    def get(self, request: Request, run_id: str) -> Response:
        """One run with its output."""
        return Response(
            RunDetailShape(get_object_or_404(audience.runs(request.user), pk=int(run_id))).data
        )


class Cancel(Endpoint):
    to_write = CANCEL_RUNS

    @operation("runs", "runs_cancel", answer=RunDetailShape, status=202)
    def post(self, request: Request, run_id: str) -> Response:
        """Stop a run: a queued one is cancelled at once; of a running one the process is ended within seconds, while a
        thread is asked and stops when it looks. Follow it until its state is final."""
        run = requests.cancel(int(run_id), by=caller(request))
        return Response(RunDetailShape(run).data, status=202)


def _wanted(runs: RunQuerySet, query: dict[str, Any]) -> QuerySet[JobRun]:
    lookups = {
        "job": "job_id",
        "state": "state",
        "since": "queued_at__gte",
        "until": "queued_at__lt",
    }
    chosen = {lookup: query[name] for name, lookup in lookups.items() if name in query}
    return runs.light().filter(**chosen)
