from __future__ import annotations

from datetime import timedelta

import pytest

from alerts_app.intake import NewAlert, raise_alerts
from alerts_app.models import AlertOccurrence, AlertRecord
from alerts_app.sources import runs as source
from alerts_app.states import AlertState
from scheduler_app.clock import db_now
from scheduler_app.ledger import ended_of
from scheduler_app.models import JobRun
from scheduler_app.states import RunState, RunTrigger, Severity
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def new(fingerprint: str, **fields) -> NewAlert:
    return NewAlert(fingerprint=fingerprint, title=f"{fingerprint} broke", **fields)


def test_batch_is_what_one_by_one_would_have_been():
    found = raise_alerts(
        [
            new("b", source_key="1", severity=Severity.WARNING, labels={"try": 1}),
            new("a", source_key="2", body='say "no"\\n'),
            new("b", source_key="3", severity=Severity.WARNING),
            new("b", source_key="4", severity=Severity.CRITICAL, labels={"try": [3]}),
            new("a", source_key="2"),
        ]
    )
    assert [one.alert.fingerprint for one in found] == ["b", "a", "b", "b", "a"]
    assert [one.notifies for one in found] == [True, True, False, True, True]
    assert found[1].pk == found[4].pk
    a, b = AlertRecord.objects.order_by("fingerprint")
    assert (a.occurrence_count, a.severity, a.body) == (1, Severity.ERROR, 'say "no"\\n')
    assert (b.occurrence_count, b.severity, b.labels) == (3, Severity.CRITICAL, {"try": [3]})


def test_batch_joins_an_open_episode_and_knows_what_it_was_told():
    raise_alerts([new("a", source_key="1")])
    again = raise_alerts([new("a", source_key="1"), new("a", source_key="2")])
    assert [one.notifies for one in again] == [True, False]
    assert AlertRecord.objects.get().occurrence_count == 2
    assert AlertOccurrence.objects.count() == 2


def test_order_of_a_jobs_runs_is_kept_within_a_batch():
    """Broken, well, broken again: one episode that is over and one that is open."""
    job, now = make_job("nightly"), db_now()
    ended = [
        ended_of(
            JobRun.objects.create(
                job=job,
                trigger=RunTrigger.MANUAL,
                state=state,
                ready_at=now,
                queued_at=now,
                finished_at=now + timedelta(seconds=number),
            )
        )
        for number, state in enumerate((RunState.FAILED, RunState.SUCCESS, RunState.FAILED))
    ]
    source.receive(runs=ended)
    source.receive(runs=ended)
    states = AlertRecord.objects.order_by("pk").values_list("state", "occurrence_count")
    assert list(states) == [(AlertState.RESOLVED, 1), (AlertState.OPEN, 1)]
