"""How callers of the API are known; who may do what is in `test_access.py`."""

from __future__ import annotations

import pytest

from scheduler_app.models import ScheduledJob
from tests.factories import make_job
from tests.integration.api.conftest import client_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_callables")]


@pytest.mark.parametrize("kind", ["Bearer wrong", "Bearer ", "Basic dGVzdDp0ZXN0", "Bearer"])
def test_wrong_token_is_refused(anonymous, kind):
    anonymous.credentials(HTTP_AUTHORIZATION=kind)
    answer = anonymous.get("/api/v1/scheduler/metrics")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("kind", ["Bearer ", "Bearer"])
def test_empty_token_lets_nobody_in(anonymous, settings, kind):
    settings.METRICS_TOKEN = ""
    anonymous.credentials(HTTP_AUTHORIZATION=kind)
    assert anonymous.get("/api/v1/scheduler/metrics").status_code == 401
    assert anonymous.get("/metrics/prometheus").status_code == 401


def test_session_needs_a_csrf_token(boss):
    make_job()
    client = client_for(boss, enforce_csrf_checks=True)
    answer = client.post("/api/v1/scheduler/jobs/nightly/disable", {}, format="json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert ScheduledJob.objects.get().enabled


def test_answers_are_not_kept_by_caches(plain):
    assert plain.get("/api/v1/scheduler/jobs")["Cache-Control"] == "private, no-store"
