"""All figures, as JSON and for Prometheus; apps above add sections of their own.

What is shown comes from rollups that are written in the transaction of the rows they count, so every process shows the
same, and no view of it looks through the history.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from scheduler_app import nodes, recent, selectors, series
from scheduler_app.histogram import cumulative
from scheduler_app.masking import mask
from scheduler_app.models import JobRun, Node
from scheduler_app.selectors import Cells, JobLine
from scheduler_app.states import NodeState, RunState
from scheduler_app.verdict import verdict

Snapshot = Callable[[datetime], dict[str, Any]]
"""Returns top-level keys for the JSON snapshot at a time."""
Lines = Callable[[datetime], Iterable[str]]
"""Yields lines in Prometheus's text format."""

_snapshots: dict[str, Snapshot] = {}
_lines: dict[str, Lines] = {}


def register(name: str, *, snapshot: Snapshot, lines: Lines) -> None:
    """Let an app above add its figures to both views."""
    _snapshots[name] = snapshot
    _lines[name] = lines


def snapshot(now: datetime) -> dict[str, Any]:
    """Every figure as values that JSON has: times in ISO 8601 (UTC), lengths in the unit of their name.

    Counts are of all time unless their name ends in `_24h`; these and the percentiles are of the last `window_s`
    seconds in whole hours (the percentiles of a job that did not run in these: of all time).
    """
    sections: dict[str, Any] = {
        "generated_at": iso(now),
        "verdict": verdict(now).as_dict(),
        "window_s": int(selectors.WINDOW.total_seconds()),
        "jobs": _jobs(now),
        "nodes": [_node(node, now) for node in _nodes()],
    }
    for section in _snapshots.values():
        sections |= section(now)
    return sections


def exposition(now: datetime) -> str:
    """Every figure in Prometheus's text format 0.0.4."""
    lines = [*series.lines(now)]
    for section in _lines.values():
        lines += section(now)
    return "\n".join(lines) + "\n"


def iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def buckets(cells: Cells) -> list[dict[str, float | int | None]]:
    """`count` values took at most `le_ms` milliseconds; the last `le_ms` is None, as JSON has no infinity."""
    return [
        {"le_ms": None if math.isinf(bound) else bound, "count": count}
        for bound, count in cumulative(cells)
    ]


def _jobs(now: datetime) -> list[dict[str, Any]]:
    lines = selectors.job_lines(now)
    runs = recent.by_job([line.job.pk for line in lines])
    return [_job(line, runs[line.job.pk]) for line in lines]


def _job(line: JobLine, runs: Iterable[JobRun]) -> dict[str, Any]:
    job, figures = line.job, line.figures
    return {
        "job_id": job.pk,
        "name": job.name,
        "owner": job.owner,
        "category": job.category,
        "enabled": job.enabled,
        "state": job.state,
        "success_count": figures.succeeded,
        "failure_count": figures.failed,
        "missed_count": figures.totals[RunState.MISSED],
        "skipped_count": figures.totals[RunState.SKIPPED],
        "successes_24h": figures.recent[RunState.SUCCESS],
        "failures_24h": figures.recent_failed,
        "missed_24h": figures.recent[RunState.MISSED],
        **_last(line),
        "p50_ms": figures.percentile_ms(0.50),
        "p95_ms": figures.percentile_ms(0.95),
        "p99_ms": figures.percentile_ms(0.99),
        "duration_buckets": buckets(figures.durations),
        "recent": [_run(run) for run in runs],
        "running": line.running,
        "next_run_at": iso(line.next_run_at),
    }


def _last(line: JobLine) -> dict[str, Any]:
    last = line.last
    return {
        "last_run_at": iso(last.finished_at) if last else None,
        "last_run_id": last.run if last else None,
        "last_state": last.state if last else None,
        "last_duration_ms": last.duration_ms if last else None,
        "last_cpu_s": last.cpu_s if last else None,
        "last_peak_memory_mb": last.peak_memory_mb if last else None,
        "last_queries": last.queries if last else None,
        "last_error": mask(last.error) if last else "",
        "last_success_at": iso(last.succeeded_at) if last else None,
        "last_failure_at": iso(last.failed_at) if last else None,
    }


def _run(run: JobRun) -> dict[str, Any]:
    return {
        "run_id": run.pk,
        "state": run.state,
        "finished_at": iso(run.finished_at),
        "duration_ms": run.duration_ms,
    }


def _nodes() -> Iterable[Node]:
    return Node.objects.filter(state=NodeState.ALIVE).order_by("pk")


def _node(node: Node, now: datetime) -> dict[str, Any]:
    return {
        "node_id": node.pk,
        "kind": node.kind,
        "name": node.name,
        "version": node.version,
        "alive": not nodes.is_silent(node, now),
        "started_at": iso(node.started_at),
        "heartbeat_at": iso(node.heartbeat_at),
        "last_tick_at": iso(node.tick_at),
        "threads": node.slots_total,
        "threads_busy": node.slots_busy,
        "threads_died": node.threads_died,
        "clock_offset_ms": node.clock_offset_ms,
        "draining": node.draining,
        "file_problem": mask(node.file_problem),
    }
