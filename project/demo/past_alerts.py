"""The alerts that the demo's past runs would have raised; nobody was told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.sources.runs import alert_of, is_alerting
from alerts_app.states import AlertState, OccurrenceKind
from scheduler_app.assignments import EndedRun
from scheduler_app.models import ScheduledJob
from scheduler_app.states import RunState


@dataclass(slots=True)
class Episode:
    """Failures in a row, and the success that ended them."""

    firings: list[EndedRun] = field(default_factory=list)
    recovery: EndedRun | None = None


def episodes(runs: Sequence[EndedRun]) -> Iterator[Episode]:
    """Of one job's final runs, in their order."""
    episode = Episode()
    for run in runs:
        if is_alerting(run):
            episode.firings.append(run)
        elif run.state == RunState.SUCCESS and episode.firings:
            episode.recovery = run
            yield episode
            episode = Episode()
    if episode.firings:
        yield episode


def write(job: ScheduledJob, runs: Sequence[EndedRun]) -> int:
    """Insert the alerts of `runs` (stored, of `job`) with their occurrences; returns how many alerts."""
    found = list(episodes(runs))
    alerts = AlertRecord.objects.bulk_create([_alert(job, episode) for episode in found])
    AlertOccurrence.objects.bulk_create(
        [
            occurrence
            for alert, episode in zip(alerts, found, strict=True)
            for occurrence in _occurrences(alert, episode, job)
        ]
    )
    return len(alerts)


def _alert(job: ScheduledJob, episode: Episode) -> AlertRecord:
    first, last = alert_of(episode.firings[0], job), alert_of(episode.firings[-1], job)
    assert first.happened_at is not None
    assert last.happened_at is not None
    recovered_at = episode.recovery.finished_at if episode.recovery else None
    return AlertRecord(
        fingerprint=first.fingerprint,
        open_key=None if recovered_at else first.fingerprint,
        source=first.source,
        severity=first.severity,
        category=first.category,
        title=last.title,
        body=last.body,
        labels={**last.labels, "demo": True},
        owner=first.owner,
        link=last.link,
        state=AlertState.RESOLVED if recovered_at else AlertState.OPEN,
        occurrence_count=len(episode.firings),
        first_seen_at=first.happened_at,
        last_seen_at=last.happened_at,
        resolved_at=recovered_at,
    )


def _occurrences(
    alert: AlertRecord, episode: Episode, job: ScheduledJob
) -> Iterator[AlertOccurrence]:
    for run in episode.firings:
        assert run.finished_at is not None
        new = alert_of(run, job)
        yield AlertOccurrence(
            alert=alert,
            kind=OccurrenceKind.FIRE,
            source_key=f"run:{run.pk}",
            happened_at=run.finished_at,
            title=new.title,
            body=new.body,
            link=new.link,
            run_state=run.state,
            run=run.pk,
        )
    if episode.recovery and episode.recovery.finished_at:
        yield AlertOccurrence(
            alert=alert,
            kind=OccurrenceKind.RESOLVE,
            source_key=f"run:{episode.recovery.pk}:resolve:{alert.pk}",
            happened_at=episode.recovery.finished_at,
            title=alert.title,
            link=alert.link,
        )
