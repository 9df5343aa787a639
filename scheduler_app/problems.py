"""What is wrong with jobs and schedulers now, by their state, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q
from django.utils.translation import gettext as _

from scheduler_app import conf, links, nodes, queue_watch
from scheduler_app.masking import mask
from scheduler_app.models import JobRun, Node, ScheduledJob
from scheduler_app.states import (
    FAILED_STATES,
    JobState,
    NodeKind,
    NodeState,
    RunState,
    Severity,
)
from scheduler_app.verify_report import Finding

TICK_LIMIT = timedelta(seconds=10)
LATE_AFTER = timedelta(minutes=1)
"""A slot that nobody took for so long is late: schedulers take them within a second."""
CLOCK_LIMIT_MS = 1000
FAILURES = ("failing", "missed")
"""The kinds of what runs did, of which their owners are alerted, too."""


def failing() -> Q:
    """Jobs whose last run failed. What is switched off or left the job file does not fail any more."""
    return Q(enabled=True, last_run__state__in=FAILED_STATES) & ~Q(state=JobState.ORPHANED)


def missed() -> Q:
    """Jobs that missed slots and have not ended a run since."""
    is_latest = Q(last_run=None) | Q(last_miss__missed_at__gt=F("last_run__finished_at"))
    is_on = Q(enabled=True) & ~Q(state=JobState.ORPHANED)
    return is_on & Q(last_miss__isnull=False) & is_latest


def late(now: datetime) -> Q:
    """Jobs with a slot that no scheduler took."""
    return Q(timetable__next_run_time__lt=now - LATE_AFTER)


def broken() -> Q:
    return Q(state=JobState.BROKEN)


def alive() -> list[Node]:
    """All nodes that did not end, with those that fell silent."""
    return list(Node.objects.filter(state=NodeState.ALIVE).order_by("pk"))


def find(now: datetime, rows: Sequence[Node] | None = None) -> Iterator[Finding]:
    """Every problem, in no particular order; `rows` are those of `alive()` where the caller has read them."""
    known = alive() if rows is None else rows
    living = [node for node in known if not nodes.is_silent(node, now)]
    schedulers = [node for node in living if node.kind == NodeKind.SCHEDULER]
    yield from _schedulers(schedulers, now)
    yield from _held_by_runs(schedulers, now)
    if schedulers:  # else told already, and it may be what is missing
        yield from _unserved_queues(living, now)
    yield from (found for node in living for found in (*_clock(node), *_dead_threads(node)))
    yield from (found for node in known for found in _refused_file(node))
    yield from _jobs(now)


def has_ticked(node: Node, now: datetime) -> bool:
    return node.tick_at is not None and now - node.tick_at <= TICK_LIMIT


def is_new(node: Node, now: datetime) -> bool:
    """Whether it has not said yet, with its first heartbeat, what it knows."""
    return not node.file_digest and now - node.started_at <= TICK_LIMIT


def _schedulers(schedulers: Sequence[Node], now: datetime) -> Iterator[Finding]:
    if not schedulers:
        yield _of_nodes(
            "node",
            _("No scheduler is alive."),
            hint=_("Start it: manage.py runscheduler."),
            severity=Severity.CRITICAL,
        )
    elif all(node.draining for node in schedulers):
        yield _of_nodes(
            "draining",
            _("Every scheduler finishes its runs and starts no more."),
            hint=_("Start another one: manage.py runscheduler."),
            severity=Severity.CRITICAL,
        )
    for node in schedulers:
        if not (is_new(node, now) or has_ticked(node, now)):
            yield _of_nodes(
                "tick",
                _("%(node)s has not looked for due jobs for more than 10 s.") % {"node": node},
                hint=_("Look into its log; start it again."),
                severity=Severity.ERROR,
                since=node.tick_at,
            )


def _held_by_runs(schedulers: Sequence[Node], now: datetime) -> Iterator[Finding]:
    """Schedulers on which nothing can start, as every thread has been held by one run for long."""
    full = {node.pk: node for node in schedulers if 0 < node.slots_total <= node.slots_busy}
    if not full:
        return
    before = now - timedelta(seconds=conf.get().SATURATED_S)
    held = JobRun.objects.running().filter(node__in=full, started_at__lt=before)
    runs = defaultdict(list)
    for node_id, job, run in held.order_by("started_at").values_list("node", "job", "pk"):
        runs[node_id].append(f"{job} #{run}")
    for pk, node in full.items():
        if len(runs[pk]) >= node.slots_total:
            text = _(
                "Every thread of %(node)s has been at work for long, so nothing starts there: "
            )
            hint = _("Give these jobs a timeout_s, or the scheduler more threads (--threads).")
            yield _of_nodes(
                "threads", text % {"node": node} + ", ".join(runs[pk][:5]), hint=hint,
                severity=Severity.WARNING,
            )  # fmt: skip


def _unserved_queues(living: Sequence[Node], now: datetime) -> Iterator[Finding]:
    """Queues that no living node takes runs from: those of jobs that are on, and those in which runs wait."""
    executing = [node for node in living if node.kind != NodeKind.WORKER and node.slots_total]
    hint = _("Start a worker for it: celery -A %(app)s worker -Q %(queue)s.")
    if conf.get().EXECUTOR == "local":
        hint = _("Start a scheduler for it: manage.py runscheduler --queues %(queue)s.")
    on = ScheduledJob.objects.filter(enabled=True, state=JobState.ACTIVE)
    jobs = dict(on.order_by("queue").values_list("queue").annotate(Count("pk")))
    for queue, count in jobs.items():
        if not any(nodes.serves(node, queue) for node in executing):
            facts = {"queue": queue, "count": count, "app": _celery_module()}
            text = _("No node serves the queue %(queue)s: %(count)d jobs wait in vain.") % facts
            yield _of_nodes("queue", text, hint=hint % facts, severity=Severity.ERROR, count=count)
    for queue, since in queue_watch.unserved(now).items():
        if queue not in jobs:
            facts = {"queue": queue, "since": f"{since:%H:%M:%S}", "app": _celery_module()}
            text = (
                _("No node serves the queue %(queue)s, where runs wait since %(since)s UTC.")
                % facts
            )
            yield _of_nodes("queue", text, hint=hint % facts, severity=Severity.ERROR, since=since)


def _celery_module() -> str:
    """What `celery -A` takes for the app of the settings, as short as it can be said."""
    return conf.get().CELERY_APP.removesuffix(".app").removesuffix(".celery") or "project"


def _dead_threads(node: Node) -> Iterator[Finding]:
    if node.threads_died:
        facts = {"node": node, "count": node.threads_died}
        text = _("%(count)s threads of %(node)s ended by themselves and were replaced.") % facts
        hint = _("Look for job_thread_died in its log; run the job that ends threads in a process.")
        yield _of_nodes("threads", text, hint=hint, severity=Severity.WARNING)


def _clock(node: Node) -> Iterator[Finding]:
    if abs(node.clock_offset_ms) > CLOCK_LIMIT_MS:
        facts = {"node": node, "ms": f"{node.clock_offset_ms:+.0f}"}
        text = _("The clock of %(node)s is %(ms)s ms off the database's.") % facts
        hint = _("Let it be set from the network (NTP).")
        yield _of_nodes("clock", text, hint=hint, severity=Severity.WARNING)


def _refused_file(node: Node) -> Iterator[Finding]:
    if node.file_problem:
        text = _("%(node)s cannot use the job file: ") % {"node": node} + mask(node.file_problem)
        hint = _("Correct or deploy the job file there.")
        yield _of_nodes("job_file", text, hint=hint, severity=Severity.ERROR)


def _of_nodes(kind: str, text: str, **fields: Any) -> Finding:
    return Finding(kind=kind, text=text, url=links.local("vigil_scheduler:nodes"), **fields)


JOB_FACTS = (
    "id", "owner", "severity", "state", "state_error", "timetable__next_run_time",
    "last_run__run", "last_run__state", "last_run__error", "last_run__failing_since", "last_run__failures_in_row",
    "last_miss__run", "last_miss__since", "last_miss__slots",
    "is_failing", "is_missed", "is_late",
)  # fmt: skip


def _jobs(now: datetime) -> Iterator[Finding]:
    conditions = {"is_failing": failing(), "is_missed": missed(), "is_late": late(now)}
    rows = ScheduledJob.objects.filter(failing() | missed() | late(now) | broken())
    for job in rows.annotate(**conditions).order_by("id").values(*JOB_FACTS):
        about = {"job": job["id"], "owner": job["owner"]}
        here = links.local("vigil_scheduler:job", job["id"])
        if job["state"] == JobState.BROKEN:
            yield Finding(
                kind="broken",
                text=mask(job["state_error"]) or _("Its schedule cannot be computed."),
                hint=_("Correct the schedule; saving it mends the job."),
                severity=Severity.ERROR,
                url=here,
                **about,
            )
        if job["is_failing"]:
            yield _failing(job, about)
        if job["is_late"]:
            yield Finding(
                kind="timetable",
                text=_("It is overdue by more than a minute."),
                hint=_("Look into the scheduler's log."),
                severity=Severity.ERROR,
                since=job["timetable__next_run_time"],
                url=here,
                **about,
            )
        if job["is_missed"]:
            yield _missed(job, about)


def _failing(job: dict[str, Any], about: dict[str, str]) -> Finding:
    count = job["last_run__failures_in_row"] or 1
    facts = {
        "state": RunState(job["last_run__state"]).label,
        "n": count,
        "error": mask(job["last_run__error"]) or _("No error text."),
    }
    text = _("%(state)s, %(n)d in a row: %(error)s") if count > 1 else _("%(state)s: %(error)s")
    # a broken row may have any
    severity = job["severity"] if job["severity"] in Severity.values else Severity.ERROR
    return Finding(
        kind="failing",
        text=text % facts,
        severity=Severity.WARNING if severity == Severity.INFO else Severity(severity),
        since=job["last_run__failing_since"],
        count=count,
        url=links.local("vigil_scheduler:run", job["last_run__run"]),
        **about,
    )


def _missed(job: dict[str, Any], about: dict[str, str]) -> Finding:
    text = _("%(n)d slots were missed, and no run has ended since.")
    return Finding(
        kind="missed",
        text=text % {"n": job["last_miss__slots"]},
        hint=_("Run it by hand where that matters: manage.py run_job %(job)s.") % about,
        severity=Severity.WARNING,
        since=job["last_miss__since"],
        count=job["last_miss__slots"],
        url=links.local("vigil_scheduler:run", job["last_miss__run"]),
        **about,
    )
