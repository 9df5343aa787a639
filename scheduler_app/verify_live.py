"""What the file expects against what the database and the living schedulers have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from scheduler_app import conf, epochs, future_times, mirror, nodes, queue_watch
from scheduler_app.drift import differences
from scheduler_app.errors import ScheduleError
from scheduler_app.jobfile import JobFile
from scheduler_app.masking import mask
from scheduler_app.models import JobRun, Node, ScheduledJob, Timetable
from scheduler_app.states import JobState, NodeKind
from scheduler_app.texts import cut_line
from scheduler_app.verify_report import Finding

TICK_LIMIT = timedelta(seconds=10)
OVERDUE_LIMIT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What stands in the database at `now`; `due` has every timetable row."""

    file: JobFile
    now: datetime
    jobs: Mapping[str, ScheduledJob]
    due: Mapping[str, datetime | None]
    schedulers: list[Node]
    executing: list[Node]

    @property
    def celery_workers(self) -> list[Node]:
        return [node for node in self.executing if node.kind == NodeKind.CELERY]

    @property
    def is_ticking(self) -> bool:
        return any(_has_ticked(node, self.now) for node in self.schedulers)


def look(file: JobFile, now: datetime) -> Live:
    return Live(
        file=file,
        now=now,
        jobs=ScheduledJob.objects.in_bulk(),
        due=dict(Timetable.objects.values_list("job_id", "next_run_time")),
        schedulers=nodes.living(NodeKind.SCHEDULER, now),
        executing=nodes.executing(now),
    )


def findings(live: Live) -> Iterator[Finding]:
    """Everything that keeps an expected job from running, or lets one run that should not."""
    yield from _missing_schedulers(live)
    for node in (*live.schedulers, *live.celery_workers):
        yield from _node_findings(node, live)
    yield from _held_by_runs(live)
    yield from _unserved_queues(live)
    for declared in live.file.jobs:
        yield from _registration_findings(declared.id, declared.as_dict(), live)
    yield from _left_over(live)
    for job in live.jobs.values():
        yield from _timetable_findings(job, live)
    yield from _late_cursors(live)


def notes(live: Live) -> Iterator[Finding]:
    """Differences that somebody wanted: changes made in the admin, and jobs that other files declare."""
    for declared in live.file.jobs:
        if job := live.jobs.get(declared.id):
            yield from _drift(job)
    others = Counter(job.source for job in live.jobs.values() if job.source != live.file.module)
    for source, count in sorted(others.items()):
        text = _("%(count)d more jobs come from %(source)s.") % {"count": count, "source": source}
        yield Finding(kind="other_file", text=text)


def _missing_schedulers(live: Live) -> Iterator[Finding]:
    if not live.schedulers:
        text, hint = _("No scheduler is alive."), _("Start it: manage.py runscheduler.")
        yield Finding(kind="node", text=text, hint=hint)


def _unserved_queues(live: Live) -> Iterator[Finding]:
    """Queues that no living node takes runs from: those of jobs that are on, and those in which runs wait."""
    if not live.schedulers:  # told already, and it may be what is missing
        return
    hint = _("Start a worker for it: celery -A %(app)s worker -Q %(queue)s.")
    if conf.get().EXECUTOR == "local":
        hint = _("Start a scheduler for it: manage.py runscheduler --queues %(queue)s.")
    jobs = Counter(job.queue for job in live.jobs.values() if epochs.is_on(job))
    for queue, count in sorted(jobs.items()):
        if not any(nodes.serves(node, queue) for node in live.executing):
            facts = {"queue": queue, "count": count, "app": _celery_module()}
            text = _("Nobody serves the queue %(queue)s: %(count)d jobs wait in vain.") % facts
            yield Finding(kind="queue", text=text, hint=hint % facts)
    for queue, since in queue_watch.unserved(live.now).items():
        if queue not in jobs:
            facts = {"queue": queue, "since": f"{since:%H:%M:%S}", "app": _celery_module()}
            text = _("No node serves the queue %(queue)s, where runs wait since %(since)s UTC.")
            yield Finding(kind="queue", text=text % facts, hint=hint % facts)


def _celery_module() -> str:
    """What `celery -A` takes for the app of the settings, as short as it can be said."""
    return conf.get().CELERY_APP.removesuffix(".app").removesuffix(".celery") or "project"


def _node_findings(node: Node, live: Live) -> Iterator[Finding]:
    is_new = not node.file_digest and live.now - node.started_at <= TICK_LIMIT
    if is_new:  # it says what it knows with its first heartbeat
        return
    facts = {
        "node": str(node),
        "digest": node.file_digest[:12] or "–",
        "wanted": live.file.digest[:12],
    }
    if node.kind == NodeKind.SCHEDULER and not _has_ticked(node, live.now):
        text = _("%(node)s has not looked for due jobs for more than 10 s.") % facts
        yield Finding(kind="tick", text=text, hint=_("Look into its log; start it again."))
    if node.threads_died:
        facts["count"] = str(node.threads_died)
        text = _("%(count)s threads of %(node)s ended by themselves and were replaced.") % facts
        hint = _("Look for job_thread_died in its log; run the job that ends threads in a process.")
        yield Finding(kind="threads", text=text, hint=hint)
    if node.file_problem:
        text = _("%(node)s cannot use the job file: ") % facts + node.file_problem
        yield Finding(kind="job_file", text=text, hint=_("Correct or deploy the job file there."))
    elif node.file_digest != live.file.digest:
        text = _("%(node)s knows another job file (%(digest)s, here %(wanted)s).") % facts
        yield Finding(kind="job_file", text=text, hint=_("Deploy the same job file there."))


def _held_by_runs(live: Live) -> Iterator[Finding]:
    """Schedulers on which nothing can start, as every thread has been held by one run for long."""
    full = {node.pk: node for node in live.schedulers if 0 < node.slots_total <= node.slots_busy}
    if not full:
        return
    before = live.now - timedelta(seconds=conf.get().SATURATED_S)
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
            text = text % {"node": node} + ", ".join(runs[pk][:5])
            yield Finding(kind="threads", text=text, hint=hint)


def _has_ticked(node: Node, now: datetime) -> bool:
    return node.tick_at is not None and now - node.tick_at <= TICK_LIMIT


def _registration_findings(
    job_id: str, declared: Mapping[str, object], live: Live
) -> Iterator[Finding]:
    job, hint = live.jobs.get(job_id), _("Bring it over: manage.py sync_jobs.")
    if job is None or job.state == JobState.ORPHANED or job.source != live.file.module:
        text = _("It is in the job file, but not registered.")
        yield Finding(kind="registration", job=job_id, text=text, hint=hint)
        return
    changed = [name for name in mirror.FIELDS if job.file_values.get(name) != declared[name]]
    if changed:
        text = _("The job file has other values: %(fields)s.") % {"fields": ", ".join(changed)}
        yield Finding(kind="registration", job=job_id, text=text, hint=hint)


def _left_over(live: Live) -> Iterator[Finding]:
    declared = {job.id for job in live.file.jobs}
    for job in live.jobs.values():
        is_ours = job.source == live.file.module and job.state != JobState.ORPHANED
        if is_ours and job.pk not in declared:
            text = _("It is registered, but no longer in the job file.")
            hint = _("Bring it over: manage.py sync_jobs.")
            yield Finding(kind="registration", job=job.pk, text=text, hint=hint)


def _timetable_findings(job: ScheduledJob, live: Live) -> Iterator[Finding]:
    due, hint = live.due.get(job.pk), _("Mend it: manage.py sync_jobs.")
    text = ""
    if job.state == JobState.BROKEN:
        text, hint = job.state_error, _("Correct the schedule; saving it mends the job.")
    elif not epochs.is_on(job) and due is not None:
        text = _("It is switched off, but the timetable has a next run.")
    elif epochs.is_on(job) and due is None and _has_slots(job, live.now):
        text = _("It is switched on, but the timetable has no next run.")
    elif due is not None and live.is_ticking and live.now - due > OVERDUE_LIMIT:
        text, hint = _("It is overdue by more than a minute."), _("Look into the scheduler's log.")
    if text:
        yield Finding(kind="timetable", job=job.pk, text=text, hint=hint)


def _late_cursors(live: Live) -> Iterator[Finding]:
    """Jobs that stand still because their next slot was stored while the database's clock was ahead."""
    for one in future_times.find(live.now):
        facts = {
            "stored": f"{one.stored:%Y-%m-%d %H:%M:%S}",
            "due": f"{one.expected:%Y-%m-%d %H:%M:%S}",
        }
        text = (
            _(
                "Its next run is stored as %(stored)s UTC, but its schedule has one at %(due)s UTC: "
                "the database's clock was ahead."
            )
            % facts
        )
        hint = _("Check that clock, then put it right: manage.py sync_jobs.")
        yield Finding(kind="timetable", job=one.job_id, text=text, hint=hint)


def _has_slots(job: ScheduledJob, now: datetime) -> bool:
    """A one-off time that is over has none any more, and needs no timetable row."""
    try:
        schedule = epochs.schedule_of(epochs.definition_of(job), now)
        return schedule.next_after(now) is not None
    except ScheduleError:
        return True


def _drift(job: ScheduledJob) -> Iterator[Finding]:
    for one in differences(job):
        facts = {"field": one.field, "file": _shown(one.in_file), "here": _shown(one.in_force)}
        text = _("%(field)s is %(here)s here, %(file)s in the file") % facts
        by = " ".join(filter(None, (one.by, one.why)))
        yield Finding(kind="drift", job=job.pk, text=f"{text} ({by})." if by else f"{text}.")


def _shown(value: object) -> str:
    return cut_line(mask(repr(value)), 100)
