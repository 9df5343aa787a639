"""The processes that hold work: who ticks, what they run, and what is odd about them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from scheduler_app import node_lines
from scheduler_app.clock import db_now
from scheduler_app.models import Node
from scheduler_app.pages.reader import is_refresh, page, require
from scheduler_app.pages.rendering import render
from scheduler_app.people import VIEW_NODES
from scheduler_app.states import NodeKind, NodeState

LIVING_SHOWN = 200
RUNS_SHOWN = 5
ENDED_SHOWN = 10


@page
def node_list(request: HttpRequest) -> HttpResponse:
    require(request, VIEW_NODES)
    now = db_now()
    nodes = Node.objects.order_by("-pk")
    alive = nodes.filter(state=NodeState.ALIVE).order_by("kind", "pk")[:LIVING_SHOWN]
    ended = nodes.exclude(state=NodeState.ALIVE)[:ENDED_SHOWN]
    living = node_lines.lines(alive, now, RUNS_SHOWN)
    context = {
        "living": living,
        "ended": node_lines.lines(ended, now),
        "ticking": sum(_ticks(line) for line in living),
        "workers": sum(line.node.kind == NodeKind.WORKER for line in living),
    }
    part = "_nodes_live.html" if is_refresh(request) else "nodes.html"
    return render(request, f"scheduler_app/{part}", context)


def _ticks(line: node_lines.NodeLine) -> bool:
    return line.node.kind == NodeKind.SCHEDULER and line.condition in ("ALIVE", "DRAINING")
