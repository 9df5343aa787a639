"""Processes that hold work."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler_app import node_lines
from scheduler_app.api.endpoint import Endpoint
from scheduler_app.api.outputs import Masked, word
from scheduler_app.api.paging import Page, PageQuery, page_of
from scheduler_app.api.schema import operation
from scheduler_app.clock import db_now
from scheduler_app.models import Node
from scheduler_app.node_lines import RUNS_SHOWN, WORDS, NodeLine
from scheduler_app.nodes import is_silent
from scheduler_app.people import VIEW_NODES
from scheduler_app.states import NodeKind, NodeState


class NodeQuery(PageQuery):
    kind = serializers.ChoiceField(NodeKind.choices, required=False)
    state = serializers.ChoiceField(NodeState.choices, required=False)


class NodeShape(serializers.Serializer[Any]):
    node_id = serializers.IntegerField(source="node.pk")
    kind = word(NodeKind, source="node.kind")
    name = serializers.CharField(source="node.name")
    state = word(NodeState, source="node.state")
    is_silent = serializers.SerializerMethodField(
        help_text="Has not been heard of for longer than its lease."
    )
    condition = serializers.CharField(
        help_text=f"How it is with it in one word: {', '.join(WORDS)}. STILL: it beats and does not tick."
    )
    version = serializers.CharField(source="node.version")
    lease_s = serializers.FloatField(source="node.lease_s")
    started_at = serializers.DateTimeField(source="node.started_at")
    heartbeat_at = serializers.DateTimeField(source="node.heartbeat_at")
    heartbeat_age_s = serializers.FloatField()
    tick_at = serializers.DateTimeField(source="node.tick_at", allow_null=True)
    tick_age_s = serializers.FloatField(allow_null=True)
    ended_at = serializers.DateTimeField(source="node.ended_at", allow_null=True)
    file_digest = serializers.CharField(
        source="node.file_digest", help_text="The job file that it knows."
    )
    is_other_file = serializers.BooleanField(help_text="That is not the version in force.")
    file_problem = Masked()
    queues = serializers.CharField(source="node.queues")
    slots_total = serializers.IntegerField(source="node.slots_total")
    slots_busy = serializers.IntegerField(source="node.slots_busy")
    threads_died = serializers.IntegerField(
        source="node.threads_died",
        help_text="Threads of this process that ended and were replaced.",
    )
    running = serializers.IntegerField(help_text="Runs that are RUNNING there.")
    run_ids = serializers.ListField(
        child=serializers.IntegerField(), help_text=f"The oldest {RUNS_SHOWN} of them."
    )
    clock_offset_ms = serializers.FloatField(source="node.clock_offset_ms")
    draining = serializers.BooleanField(source="node.draining")

    def get_is_silent(self, line: NodeLine) -> bool:
        return is_silent(line.node, self.context["now"])


class NodePage(Page):
    results = NodeShape(many=True)


class Nodes(Endpoint):
    to_read = VIEW_NODES
    query_shape = NodeQuery

    @operation("nodes", "nodes_list", query=NodeQuery, answer=NodePage)
    def get(self, request: Request) -> Response:
        """Schedulers and workers with what they run, living and past, the newest first."""
        chosen = {name: self.query[name] for name in ("kind", "state") if name in self.query}
        rows, following = page_of(request, Node.objects.filter(**chosen), self.query)
        now = db_now()
        shapes = NodeShape(node_lines.lines(rows, now), many=True, context={"now": now})
        return Response({"next": following, "results": shapes.data})
