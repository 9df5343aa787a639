from __future__ import annotations

import subprocess
import sys

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.test import RequestFactory
from prometheus_client.parser import text_string_to_metric_families

from project.metrics_view import project_metrics
from scheduler_app import exposition
from tests.environment import METRICS_TOKEN
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db


def get(user=None, **headers: str):
    request = RequestFactory().get("/metrics", headers=headers)
    request.user = user or AnonymousUser()
    return project_metrics(request)


def test_metrics_page_joins_both_registries():
    make_job("a")
    response = get(Authorization=f"Bearer {METRICS_TOKEN}")
    names = {f.name for f in text_string_to_metric_families(response.content.decode())}
    assert {"scheduler_job_success", "python_info"} <= names
    assert response["Content-Type"] == exposition.CONTENT_TYPE


def test_metrics_page_has_the_figures_of_all_web_processes(monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    one_worker = (
        "import prometheus_client as p; p.Counter('other_process', 'of another process').inc(3)"
    )
    subprocess.run([sys.executable, "-c", one_worker], check=True)
    response = get(Authorization=f"Bearer {METRICS_TOKEN}")
    assert b"other_process_total 3.0" in response.content
    assert b"scheduler_nodes 0" in response.content


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "x"}])
def test_metrics_page_is_not_for_strangers(header):
    response = get(**header).render()
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="figures"')
    assert b"scheduler_" not in response.content


def test_metrics_page_needs_permission_to_view_all_jobs():
    reader = make_user("reader", is_superuser=True)
    assert b"scheduler_nodes 0" in get(reader).content
    assert get(make_user()).status_code == 403


def test_without_a_token_in_the_settings_none_is_right(settings):
    settings.METRICS_TOKEN = ""
    assert get(Authorization="Bearer ").status_code == 401


def test_metrics_page_says_when_the_database_is_away(monkeypatch):
    def gone() -> None:
        raise OperationalError

    monkeypatch.setattr("project.metrics_view.db_now", gone)
    assert get(Authorization=f"Bearer {METRICS_TOKEN}").status_code == 503
