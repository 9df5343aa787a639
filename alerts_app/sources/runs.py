"""Failed runs become alerts for the job's owner; the next success ends them."""

from __future__ import annotations

from collections.abc import Sequence

from alerts_app import conf, lifecycle
from alerts_app.intake import NewAlert, raise_alerts
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
    jobs = ScheduledJob.objects.in_bulk({run.job_id for run in runs if is_alerting(run)})
    new: list[NewAlert] = []
    for run in sorted(runs, key=lambda run: run.job_id):
        name = fingerprint_of(run.job_id)
        if is_alerting(run):
            new.append(alert_of(run, jobs.get(run.job_id)))
            open_names.add(name)
        elif run.state == RunState.SUCCESS and run.finished_at and name in open_names:
            raise_alerts(new)  # what was before
            new = []
            key = f"run:{run.pk}:resolve"
            lifecycle.recover([name], happened_at=run.finished_at, source_key=key)
    raise_alerts(new)


def is_alerting(run: EndedRun) -> bool:
    """Neither slots left out because a newer one was caught up nor a try that is followed by another call anybody."""
    is_told = run.reason != Reason.CATCH_UP and run.next_try is None
    return run.state in ALERTING_STATES and is_told


def fingerprint_of(job_id: str) -> str:
    return f"job:{job_id}"


def alert_of(run: EndedRun, job: ScheduledJob | None) -> NewAlert:
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
