"""Processes that hold work, and the end of those that fell silent."""

from __future__ import annotations

import logging
import os
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from scheduler_app import ledger
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun, Node
from scheduler_app.states import NodeKind, NodeState, Reason
from scheduler_app.transactions import brief

logger = logging.getLogger(__name__)

CLOCK_TOLERANCE = timedelta(seconds=5)


def register(
    kind: NodeKind, *, lease_s: float, slots: int, version: str = "", queues: Sequence[str] = ()
) -> Node:
    """A new life of this process. It executes runs of `queues` (empty: of all) in `slots` at once, if any."""
    now = db_now()
    return Node.objects.create(
        kind=kind,
        name=f"{platform.node()}:{os.getpid()}",
        pid=os.getpid(),
        version=version,
        lease_s=lease_s,
        slots_total=slots,
        queues=",".join(queues),
        started_at=now,
        heartbeat_at=now,
    )


def beat(node_id: int, **figures: Any) -> datetime | None:
    """Renew the lease and store what the node says of itself; returns the time, None when it was declared dead."""
    alive = Node.objects.filter(pk=node_id, state=NodeState.ALIVE)
    with brief():
        now = db_now()
        return now if alive.update(heartbeat_at=now, **figures) == 1 else None


def retire(node_id: int) -> None:
    """The process ends by its own will and holds nothing any more."""
    alive = Node.objects.filter(pk=node_id, state=NodeState.ALIVE)
    alive.update(state=NodeState.STOPPED, ended_at=db_now())


def living(kind: NodeKind, now: datetime) -> list[Node]:
    """The nodes whose lease holds at `now`, the oldest first."""
    rows = Node.objects.filter(kind=kind, state=NodeState.ALIVE).order_by("pk")
    return [node for node in rows if not is_silent(node, now)]


def executing(now: datetime) -> list[Node]:
    """The living nodes that execute runs, the oldest first."""
    kinds = (NodeKind.SCHEDULER, NodeKind.CELERY)
    return [node for kind in kinds for node in living(kind, now) if node.slots_total]


def serves(node: Node, queue: str) -> bool:
    return not node.queues or queue in node.queues.split(",")


def celery_slots(now: datetime) -> dict[str, int]:
    """How many runs at once the living Celery workers can execute, by queue."""
    slots: Counter[str] = Counter()
    for node in living(NodeKind.CELERY, now):
        slots.update(dict.fromkeys(node.queues.split(","), node.slots_total))
    return dict(slots)


def is_silent(node: Node, now: datetime) -> bool:
    return now - node.heartbeat_at > timedelta(seconds=node.lease_s)


def reap() -> int:
    """Declare silent nodes dead and end what they ran; returns how many runs were LOST.

    The caller has itself beaten without a gap for a full lease: after an outage every heartbeat is old.
    """
    now = db_now()
    alive = Node.objects.filter(state=NodeState.ALIVE).order_by("pk")
    _pull_back(alive, now)
    silent = [node for node in alive if is_silent(node, now)]
    return sum(declare_dead(node) for node in silent) + end_leftovers()


def _pull_back(alive: QuerySet[Node], now: datetime) -> None:
    """Let leases that were renewed while the clock was ahead begin now; a node that lives renews its own."""
    for node in alive.filter(heartbeat_at__gt=now + CLOCK_TOLERANCE):
        alive.filter(pk=node.pk, heartbeat_at=node.heartbeat_at).update(heartbeat_at=now)


def declare_dead(node: Node) -> int:
    """End `node` and what it ran, unless it has beaten in the meantime."""
    with brief():
        row = Node.objects.select_for_update().get(pk=node.pk)
        if row.state != NodeState.ALIVE or row.heartbeat_at != node.heartbeat_at:
            return 0
        row.state, row.ended_at = NodeState.DEAD, db_now()
        row.save(update_fields=["state", "ended_at"])
    logger.warning("node_dead", extra={"node": node.pk, "node_name": node.name})
    return len(ledger.end_lost(node.pk, Reason.NODE_DIED))


def end_leftovers() -> int:
    """Runs of a node that ended while whoever declared it dead was killed."""
    alive = Node.objects.filter(state=NodeState.ALIVE).values("pk")
    orphans = JobRun.objects.running().exclude(node__in=alive)
    nodes = orphans.order_by().values_list("node", flat=True).distinct()
    return sum(len(ledger.end_lost(node, Reason.NODE_DIED)) for node in nodes if node is not None)
