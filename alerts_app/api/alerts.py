"""Alerts, for people with the permission and for those whom they concern."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from alerts_app import lifecycle
from alerts_app.audience import ONGOING, to_handle, visible_to
from alerts_app.models import AlertRecord
from alerts_app.states import AlertState, OccurrenceKind, Source
from scheduler_app.api.endpoint import Endpoint, caller
from scheduler_app.api.inputs import Input, Typed, read
from scheduler_app.api.outputs import Masked, MaskedJSON, word
from scheduler_app.api.paging import GREATEST_ID, Limit, Page
from scheduler_app.api.schema import operation
from scheduler_app.pages.keyset import below
from scheduler_app.states import Severity

OCCURRENCES = 50


class AlertQuery(Limit):
    before = serializers.IntegerField(
        required=False,
        min_value=-GREATEST_ID,
        max_value=GREATEST_ID,
        help_text="Only alerts below this id, as `next` has it; negative: only resolved ones.",
    )
    state = serializers.ChoiceField(AlertState.choices, required=False)
    severity = serializers.ChoiceField(Severity.choices, required=False)
    owner = Typed(required=False, max_length=150)
    q = Typed(required=False, max_length=200, help_text="Part of the title.")


class AlertShape(serializers.Serializer[Any]):
    alert_id = serializers.IntegerField(source="pk")
    fingerprint = serializers.CharField()
    source = word(Source)  # type: ignore[assignment]
    severity = word(Severity)
    category = serializers.CharField()
    title = Masked()
    owner = serializers.CharField()
    link = Masked()
    state = word(AlertState)
    occurrence_count = serializers.IntegerField()
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    notified_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField()


class OccurrenceShape(serializers.Serializer[Any]):
    occurrence_id = serializers.IntegerField(source="pk")
    kind = word(OccurrenceKind)
    happened_at = serializers.DateTimeField()
    body = Masked()
    run_id = serializers.IntegerField(source="run", allow_null=True)
    notifies = serializers.BooleanField()


class AlertDetailShape(AlertShape):
    body = Masked()
    labels = MaskedJSON()
    occurrences = serializers.SerializerMethodField()

    @extend_schema_field(OccurrenceShape(many=True))
    def get_occurrences(self, alert: AlertRecord) -> Any:
        latest = alert.occurrences.order_by("-pk")[:OCCURRENCES]
        return OccurrenceShape(latest, many=True).data


class AlertPage(Page):
    results = AlertShape(many=True)


class Alerts(Endpoint):
    query_shape = AlertQuery

    @operation("alerts", "alerts_list", query=AlertQuery, answer=AlertPage)
    def get(self, request: Request) -> Response:
        """The alerts that you may see: those that are not resolved first, of these and of the others the newest."""
        alerts = visible_to(request.user).filter(_wanted(self.query)).defer("body", "labels")
        before = str(self.query.get("before", ""))
        rows, older = below(alerts, before, self.query["limit"], first=ONGOING)
        following = older and replace_query_param(request.build_absolute_uri(), "before", older)
        return Response({"next": following, "results": AlertShape(rows, many=True).data})


class Alert(Endpoint):
    @operation("alerts", "alerts_retrieve", answer=AlertDetailShape)
    def get(self, request: Request, alert_id: str) -> Response:
        """One alert with its latest 50 occurrences."""
        return Response(AlertDetailShape(_alert(request, alert_id)).data)


class Acknowledge(Endpoint):
    @operation("alerts", "alerts_acknowledge", body=Input, answer=AlertDetailShape)
    def post(self, request: Request, alert_id: str) -> Response:
        """Somebody is on it: repeats stay silent. 409 where it is acknowledged or resolved already."""
        read(Input, request.data)
        lifecycle.acknowledge(to_handle(request.user, int(alert_id)).pk, by=caller(request))
        return Response(AlertDetailShape(_alert(request, alert_id)).data)


class Resolve(Endpoint):
    @operation("alerts", "alerts_resolve", body=Input, answer=AlertDetailShape)
    def post(self, request: Request, alert_id: str) -> Response:
        """It is over: the people who were told are told. 409 where it is resolved already."""
        read(Input, request.data)
        lifecycle.resolve(to_handle(request.user, int(alert_id)).pk, by=caller(request))
        return Response(AlertDetailShape(_alert(request, alert_id)).data)


def _wanted(query: dict[str, Any]) -> Q:
    chosen = {name: query[name] for name in ("state", "severity", "owner") if name in query}
    return Q(**chosen) & (Q(title__icontains=query["q"]) if "q" in query else Q())


def _alert(request: Request, alert_id: str) -> AlertRecord:
    return get_object_or_404(visible_to(request.user), pk=int(alert_id))
