"""What a scheduler that started now would do with what is due: found by reading alone, without a lock."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler_app import calendar_days, claims, epochs, mirror, nodes
from scheduler_app.calendars import Days
from scheduler_app.catchup import LEAST_GRACE_S, Passed, Plan, Policy
from scheduler_app.clock import db_now
from scheduler_app.errors import StaleFileError
from scheduler_app.jobfile import JobFile
from scheduler_app.mirror import SyncReport
from scheduler_app.models import JobRun, ScheduledJob, ScheduleEpoch, Timetable
from scheduler_app.states import JobState, NodeKind, Reason, RunState

ON_TIME = timedelta(seconds=LEAST_GRACE_S)
NOTHING = Plan(run=(), passed=(), following=None)


@dataclass(slots=True, kw_only=True)
class JobPlan:
    """What would become of one job; `change` is what the job file does to it."""

    job_id: str
    due: list[datetime] = field(default_factory=list)
    """Slots of the last minute that would run."""
    caught_up: list[datetime] = field(default_factory=list)
    """Older ones that would run all the same."""
    passed: list[Passed] = field(default_factory=list)
    waiting: int = 0
    """Runs that are queued already."""
    next_at: datetime | None = None
    change: str = ""
    error: str = ""


@dataclass(slots=True, kw_only=True)
class StartPlan:
    now: datetime
    jobs: list[JobPlan]
    sync: SyncReport
    file_problem: str = ""
    """Why the job file would not be taken over."""
    schedulers: int = 0
    """How many are alive: what is due is theirs within a second."""


def explain(file: JobFile) -> StartPlan:
    """What a start with the job file `file` would do."""
    now, problem = db_now(), ""
    try:
        report = mirror.preview(file)
    except StaleFileError as error:
        report, problem = SyncReport(source=file.module, digest=file.digest), str(error)
    schedulers = nodes.living(NodeKind.SCHEDULER, now)
    return StartPlan(
        now=now,
        jobs=sorted(_plans(file, report, now), key=lambda plan: plan.job_id),
        sync=report,
        file_problem=problem,
        schedulers=len(schedulers),
    )


def _plans(file: JobFile, report: SyncReport, now: datetime) -> Iterator[JobPlan]:
    declared = {job.id: job.as_dict() for job in file.jobs}
    rows = Timetable.objects.in_bulk()
    spans = ScheduleEpoch.objects.in_bulk([row.epoch for row in rows.values()])
    days = calendar_days.entered_for(span.definition.get("calendar", "") for span in spans.values())
    queued = Counter(JobRun.objects.queued().order_by().values_list("job_id", flat=True))
    for job in ScheduledJob.objects.all():
        if job.state == JobState.WATCHED and job.pk not in declared:
            continue
        changed = report.changed.get(job.pk, [])
        values = {name: declared[job.pk][name] for name in changed}
        row = rows.get(job.pk) or Timetable(job=job, epoch=epochs.NO_EPOCH)
        after = _synced(job, values, report)
        plan = _plan(job, after, row, spans.get(row.epoch), days, now)
        plan.waiting, plan.change = queued[job.pk], _change(job, report)
        yield plan
    for job_id in report.created:
        job = ScheduledJob(**declared[job_id])
        yield JobPlan(job_id=job_id, next_at=_first_slot(job, now), change="new")


def _synced(job: ScheduledJob, values: dict[str, object], report: SyncReport) -> ScheduledJob:
    """`job` as the sync at the start would leave it."""
    after = copy.copy(job)
    for name, value in values.items():
        setattr(after, name, value)
    if job.pk in report.orphaned:
        after.state = JobState.ORPHANED
    elif job.pk in report.returned or values:
        after.state = JobState.ACTIVE
    return after


def _plan(
    job: ScheduledJob,
    after: ScheduledJob,
    row: Timetable,
    span: ScheduleEpoch | None,
    days: Days,
    now: datetime,
) -> JobPlan:
    """Slots of another definition are settled by the rules that the job had until now, as a sync does."""
    found = JobPlan(job_id=job.pk)
    stays = epochs.is_on(after) and span and span.definition == epochs.definition_of(after)
    plan = NOTHING
    try:
        if span and row.next_run_time and row.next_run_time <= now:
            policy = _policy(after if stays else job)
            known = span.definition, span.opened_at, days
            plan = claims.plan_of(policy, *known, row.next_run_time, now)
            found.next_at = plan.following
        elif stays:
            found.next_at = row.next_run_time
        if not stays:
            found.next_at = _first_slot(after, now)
    except Exception as error:  # noqa: BLE001 - as a claim does: one job's schedule may stop nobody else's
        found.error = f"The schedule cannot be computed: {type(error).__name__}: {error}"
    found.passed += plan.passed
    if not epochs.is_on(after):
        found.passed += _switched_off(plan.run)
    else:
        found.due += [slot for slot in plan.run if slot >= now - ON_TIME]
        found.caught_up += [slot for slot in plan.run if slot < now - ON_TIME]
    return found


def _policy(job: ScheduledJob) -> Policy:
    return Policy(on_missed=job.on_missed, grace_s=job.grace_s, max_catch_up=job.max_catch_up)


def _first_slot(job: ScheduledJob, now: datetime) -> datetime | None:
    if not epochs.is_on(job):
        return None
    return epochs.schedule_of(epochs.definition_of(job), now).next_after(now)


def _switched_off(run: tuple[datetime, ...]) -> list[Passed]:
    """What is queued, and then not started, as the job is off by then."""
    return [
        Passed(first=slot, last=slot, count=1, state=RunState.SKIPPED, reason=Reason.DISABLED)
        for slot in run
    ]


def _change(job: ScheduledJob, report: SyncReport) -> str:
    if job.pk in report.orphaned:
        return "leaves the file"
    fields = ", ".join(report.changed.get(job.pk, []))
    back = "is back in the file" if job.pk in report.returned else ""
    return " ".join(filter(None, (back, f"takes over {fields}" if fields else "")))
