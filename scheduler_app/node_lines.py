"""Nodes as pages and API show them: who ticks, how old, what they run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from scheduler_app import conf
from scheduler_app.masking import mask
from scheduler_app.models import JobRun, Node, SyncedFile
from scheduler_app.nodes import is_silent
from scheduler_app.states import NodeKind, NodeState

RUNS_SHOWN = 20
"""Of what one node runs, where nobody says otherwise."""
STILL_AFTER = timedelta(seconds=10)
"""A scheduler ticks twice a second."""

WORDS: dict[str, str | Promise] = {
    **dict(NodeState.choices),
    "SILENT": _("silent"),
    "STILL": _("does not tick"),
    "DRAINING": _("finishes its runs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """A node at one moment; ages in seconds by the database's clock."""

    node: Node
    condition: str
    """One of `WORDS`."""
    heartbeat_age_s: float
    tick_age_s: float | None
    running: int
    runs: list[tuple[int, str]]
    """Run id and job id of the oldest."""
    is_other_file: bool
    """It knows another version of the job file than the one in force."""

    @property
    def word(self) -> str:
        return str(WORDS[self.condition])

    @property
    def file_problem(self) -> str:
        return mask(self.node.file_problem)

    @property
    def more_runs(self) -> int:
        return self.running - len(self.runs)

    @property
    def run_ids(self) -> list[int]:
        return [run_id for run_id, _job_id in self.runs]


def lines(nodes: Iterable[Node], now: datetime, runs_shown: int = RUNS_SHOWN) -> list[NodeLine]:
    """The nodes with what they run, in a fixed number of queries."""
    rows = list(nodes)
    counts, runs = _running([node.pk for node in rows], runs_shown)
    in_force = _version_in_force()
    return [
        NodeLine(
            node=node,
            condition=condition(node, now),
            heartbeat_age_s=_age_s(node.heartbeat_at, now),
            tick_age_s=_age_s(node.tick_at, now) if node.tick_at else None,
            running=counts[node.pk],
            runs=runs[node.pk],
            is_other_file=_knows_another(node, in_force),
        )
        for node in rows
    ]


def condition(node: Node, now: datetime) -> str:
    """How it is with the node, in one word of `WORDS`."""
    if node.state != NodeState.ALIVE:
        return str(node.state)
    if is_silent(node, now):
        return "SILENT"
    if node.draining:
        return "DRAINING"
    ticks = node.kind == NodeKind.SCHEDULER
    if ticks and now - (node.tick_at or node.started_at) > STILL_AFTER:
        return "STILL"
    return str(NodeState.ALIVE)


def _running(
    ids: Iterable[int], most: int
) -> tuple[Counter[int | None], Mapping[int | None, list[tuple[int, str]]]]:
    running = JobRun.objects.running().filter(node__in=ids).order_by()
    counts = Counter(dict(running.values_list("node").annotate(count=Count("pk"))))
    place = Window(RowNumber(), partition_by=[F("node")], order_by=[F("pk")])
    first = running.annotate(place=place).filter(place__lte=most).order_by("pk")
    runs: defaultdict[int | None, list[tuple[int, str]]] = defaultdict(list)
    for node, run_id, job_id in first.values_list("node", "pk", "job_id"):
        runs[node].append((run_id, job_id))
    return counts, runs


def _version_in_force() -> str:
    versions = SyncedFile.objects.filter(source=conf.get().JOB_FILE).order_by("-pk")
    return versions.values_list("digest", flat=True).first() or ""


def _knows_another(node: Node, in_force: str) -> bool:
    known = node.state == NodeState.ALIVE and node.file_digest
    return bool(known and in_force and node.file_digest != in_force)


def _age_s(moment: datetime, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0)
