from __future__ import annotations

import pytest

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationState
from scheduler_app import ledger
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.states import RunState
from tests import factories


@pytest.fixture
def staff(db):
    return factories.make_user("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def olga(db):
    return factories.make_user("olga")


@pytest.fixture
def as_staff(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def as_olga(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def failed_run(db):
    """A run of the job `nightly` (owner olga) that failed."""
    factories.make_job("nightly")
    return finish("nightly", RunState.FAILED, error="ValueError: no tax number", log="read 3 rows")


@pytest.fixture
def alert(db):
    """An open alert that olga owns."""
    return fire(owner="olga")


@pytest.fixture
def dead(alert, olga):
    """A notification to olga that was given up."""
    return notify(alert, olga, state=NotificationState.DEAD, error_message="550 no such user")


def finish(job_id, state, **fields):
    """A run of the job that ended so."""
    run = factories.start_run(job_id)
    result = RunResult(
        run_id=run.pk,
        token="t1",
        state=state,
        started_at=db_now(),
        finished_at=db_now(),
        duration_ms=1500.0,
        **fields,
    )
    return ledger.finish([result])[0]


def fire(title="nightly failed", **fields):
    occurrence = raise_alert(NewAlert(fingerprint=title[:100], title=title, **fields))
    return occurrence.alert


def notify(alert, person, **fields):
    now = db_now()
    values = {"channel": "SYSTEM", "state": NotificationState.SENT, "finished_at": now, **fields}
    return AlertNotification.objects.create(
        alert=alert,
        occurrence=alert.occurrences.first(),
        kind="FIRE",
        recipient=person,
        recipient_key=f"user:{person.pk}",
        recipient_name=person.username,
        severity=alert.severity,
        priority=1,
        created_at=now,
        due_at=now,
        expires_at=now,
        **values,
    )
