"""Processes that hold work."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.outputs import Masked, word
from scheduler_app.api.paging import Page, PageQuery, page_of
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.models import Node
from scheduler_app.nodes import is_silent
from scheduler_app.states import NodeKind, NodeState


class NodeQuery(PageQuery):
    kind = serializers.ChoiceField(NodeKind.choices, required=False)
    state = serializers.ChoiceField(NodeState.choices, required=False)


class NodeShape(serializers.Serializer[Any]):
    node_id = serializers.IntegerField(source="pk")
    kind = word(NodeKind)
    name = serializers.CharField()
    state = word(NodeState)
    is_silent = serializers.SerializerMethodField(
        help_text="Has not been heard of for longer than its lease."
    )
    version = serializers.CharField()
    lease_s = serializers.FloatField()
    started_at = serializers.DateTimeField()
    heartbeat_at = serializers.DateTimeField()
    tick_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    file_digest = serializers.CharField(help_text="The job file that it knows.")
    file_problem = Masked()
    slots_total = serializers.IntegerField()
    slots_busy = serializers.IntegerField()
    clock_offset_ms = serializers.FloatField()
    draining = serializers.BooleanField()

    def get_is_silent(self, node: Node) -> bool:
        return is_silent(node, self.context["now"])


class NodePage(Page):
    results = NodeShape(many=True)


class Nodes(Endpoint):
    query_shape = NodeQuery

    @operation("nodes", "nodes_list", query=NodeQuery, answer=NodePage)
    def get(self, request: Request) -> Response:
        """Schedulers and notification workers, living and past, the newest first."""
        chosen = {name: self.query[name] for name in ("kind", "state") if name in self.query}
        rows, following = page_of(request, Node.objects.filter(**chosen), self.query)
        shapes = NodeShape(rows, many=True, context={"now": db_now()})
        return Response({"next": following, "results": shapes.data})
