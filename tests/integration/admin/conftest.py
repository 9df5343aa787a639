from __future__ import annotations

import pytest
from django.test import Client

from scheduler_app import ledger
from scheduler_app.assignments import RunResult
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from tests.factories import make_job, make_user, start_run


def ended_run(job_id: str, state: str, **fields: str) -> JobRun:
    """A run of a job of this name that a node ended as `state`."""
    make_job(job_id)
    run = start_run(job_id)
    result = RunResult(
        run_id=run.pk,
        token=run.token,
        state=state,
        started_at=db_now(),
        finished_at=db_now(),
        duration_ms=5.0,
        **fields,
    )
    return ledger.finish([result])[0]


@pytest.fixture(autouse=True)
def _site(settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


@pytest.fixture
def boss(db):
    return make_user("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def admin_client(boss):
    """Signed in as a superuser."""
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def act(admin_client):
    """`act("/admin/app/model/", "action", [ids], **more)` does an action; returns the page that follows."""

    def do(url: str, action: str, ids: list[object], **more: str):
        data = {"action": action, "_selected_action": ids, "index": "0", **more}
        return admin_client.post(url, data, follow=True)

    return do


@pytest.fixture
def said():
    """The messages that a page shows."""
    return lambda page: [str(one) for one in page.context["messages"]]
