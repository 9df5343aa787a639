"""Failed runs become alerts for the job's owner; the next success ends them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from alerts_app import conf, lifecycle
from alerts_app.intake import NewAlert, raise_alerts
from alerts_app.lifecycle import Recovery
from alerts_app.models import AlertRecord
from alerts_app.states import Source
from scheduler_app import links
from scheduler_app.assignments import EndedRun
from scheduler_app.models import ScheduledJob
from scheduler_app.signals import runs_finished
from scheduler_app.states import ALERTING_STATES, Reason, RunState, Severity


def connect() -> None:
    runs_finished.connect(receive, name="alerts_app.sources.runs")


def receive(*, runs: Sequence[EndedRun]) -> None:
    """Deal with a batch of ended runs; hearing of a run twice changes nothing.

    By job and within it in their order, so that two batches lock alerts in the same order.
    """
    names = {fingerprint_of(run.job_id) for run in runs}
    opened = AlertRecord.objects.filter(open_key__among=names)
    open_names = set(opened.values_list("open_key", flat=True))
    jobs = _jobs({run.job_id for run in runs if is_alerting(run)})
    new: dict[str, list[NewAlert]] = {}
    over: dict[str, Recovery] = {}
    for run in sorted(runs, key=lambda run: run.job_id):
        name = fingerprint_of(run.job_id)
        if is_alerting(run):
            if name in over:
                _store(new, over)
            new.setdefault(name, []).append(alert_of(run, jobs.get(run.job_id)))
            open_names.add(name)
        elif run.state == RunState.SUCCESS and run.finished_at and name in open_names:
            if name in new:
                _store(new, over)
            key = f"run:{run.pk}:resolve"
            over[name] = Recovery(fingerprint=name, happened_at=run.finished_at, source_key=key)
    _store(new, over)


def _store(new: dict[str, list[NewAlert]], over: dict[str, Recovery]) -> None:
    """Raise and resolve what was collected: a fingerprint is in one of the two."""
    raise_alerts([alert for alerts in new.values() for alert in alerts])
    lifecycle.recover_all(list(over.values()))
    new.clear()
    over.clear()


class Job(Protocol):
    """What an alert takes from its job."""

    @property
    def name(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def owner(self) -> str: ...


class _Job(NamedTuple):
    id: str
    name: str
    severity: str
    category: str
    owner: str


def _jobs(job_ids: Collection[str]) -> dict[str, _Job]:
    rows = ScheduledJob.objects.filter(pk__among=job_ids).values_list(*_Job._fields)
    return {job.id: job for job in map(_Job._make, rows)}


def is_alerting(run: EndedRun) -> bool:
    """Neither slots left out because a newer one was caught up nor a try that is followed by another call anybody."""
    is_told = run.reason != Reason.CATCH_UP and run.next_try is None
    return run.state in ALERTING_STATES and is_told


def fingerprint_of(job_id: str) -> str:
    return f"job:{job_id}"


def alert_of(run: EndedRun, job: Job | None) -> NewAlert:
    """What the owner of `job` is told about `run`."""
    name = job.name if job else run.job_id
    return NewAlert(
        fingerprint=fingerprint_of(run.job_id),
        title=f"{name}: {run.state.label}",
        severity=job.severity if job else Severity.ERROR,
        source=Source.RUN,
        category=job.category if job else "",
        body=run.error,
        labels={"job_id": run.job_id, "job_name": name, "state": run.state, "run_id": run.pk},
        owner=job.owner if job else "",
        link=_link(run.pk),
        source_key=f"run:{run.pk}",
        run=run.pk,
        happened_at=run.finished_at,
    )


def _link(run: int) -> str:
    view = "vigil_scheduler:run"
    return links.absolute(conf.get().SITE_URL, view, run) or links.local(view, run)
