from __future__ import annotations

import pytest

from notifications_app.channels import registry
from tests.factories import make_job

pytestmark = pytest.mark.django_db

SNAPSHOTS = ["/api/v1/scheduler/metrics", "/scheduler/metrics"]
EXPOSITIONS = ["/api/v1/scheduler/metrics/prometheus", "/metrics/prometheus"]


@pytest.mark.parametrize("address", SNAPSHOTS)
def test_snapshot_has_jobs_and_channels(token, address):
    make_job()
    snapshot = token.get(address).json()
    assert snapshot["window_s"] == 86_400
    assert [job["job_id"] for job in snapshot["jobs"]] == ["nightly"]
    channels = [channel["channel"] for channel in snapshot["notification_channels"]]
    assert channels == list(registry.names())


@pytest.mark.parametrize("address", EXPOSITIONS)
def test_exposition_is_prometheus_text(token, address):
    make_job()
    answer = token.get(address, HTTP_ACCEPT="application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'scheduler_job_success_total{job_id="nightly"} 0' in answer.content.decode()


def test_project_wide_metrics_have_both(token):
    make_job()
    text = token.get("/metrics").content.decode()
    assert "django_http_requests_total" in text
    assert 'scheduler_job_success_total{job_id="nightly"} 0' in text


def test_token_writes_nothing(token):
    answer = token.post("/api/v1/scheduler/metrics")
    assert answer.status_code == 405
    assert list(answer.json()) == ["detail"]
