"""Who may do what: every endpoint, every kind of caller."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import get_resolver, resolve

from notifications_app.states import NotificationState
from scheduler_app.models import ScheduledJob
from tests.factories import make_job, start_run
from tests.integration.api.conftest import client_for, make_alert, make_notification

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_callables")]

READ = (401, 401, 200, 200)  # anonymous, metrics token, plain user, staff
FIGURES = (401, 200, 200, 200)
STAFF = (401, 401, 403, 200)
STAFF_QUEUES = (401, 401, 403, 202)
HIDDEN = (401, 401, 404, 200)

MATRIX = [
    ("GET", "scheduler/jobs", None, READ),
    ("GET", "scheduler/jobs/nightly", None, READ),
    ("PATCH", "scheduler/jobs/nightly", {"owner": "otto"}, STAFF),
    ("POST", "scheduler/jobs/nightly/enable", {}, STAFF),
    ("POST", "scheduler/jobs/nightly/disable", {"why": "broken"}, STAFF),
    ("POST", "scheduler/jobs/nightly/run", {}, STAFF_QUEUES),
    ("POST", "scheduler/jobs/nightly/reset", {}, STAFF),
    ("GET", "scheduler/runs", None, READ),
    ("GET", "scheduler/runs/{run}", None, READ),
    ("GET", "scheduler/slots?job=nightly", None, READ),
    ("POST", "scheduler/runs/{run}/cancel", {}, STAFF_QUEUES),
    ("GET", "scheduler/nodes", None, READ),
    ("GET", "scheduler/verify", None, STAFF),
    ("GET", "scheduler/metrics", None, FIGURES),
    ("GET", "scheduler/metrics/prometheus", None, FIGURES),
    ("GET", "alerts", None, READ),
    ("GET", "alerts/{alert}", None, HIDDEN),
    ("POST", "alerts/{alert}/acknowledge", {}, HIDDEN),
    ("POST", "alerts/{alert}/resolve", {}, HIDDEN),
    ("GET", "notifications", None, READ),
    ("GET", "notifications/{notification}", None, HIDDEN),
    ("GET", "notifications/{notification}/trace", None, HIDDEN),
    ("POST", "notifications/{notification}/requeue", {}, STAFF),
    ("POST", "notifications/requeue", {"all": True}, STAFF),
    ("GET", "notifications/settings", None, READ),
    ("PUT", "notifications/settings", {}, READ),
    ("PATCH", "notifications/settings", {}, READ),
    ("GET", "notifications/settings?user=otto", None, STAFF),
    ("PUT", "notifications/settings?user=otto", {}, STAFF),
    ("PATCH", "notifications/settings?user=otto", {}, STAFF),
    ("GET", "notifications/inbox", None, READ),
    ("POST", "notifications/inbox/read", {"all": True}, READ),
    ("GET", "notifications/channels", None, READ),
    ("POST", "notifications/channels/EMAIL/enable", {}, STAFF),
    ("POST", "notifications/channels/EMAIL/disable", {}, STAFF),
    ("POST", "notifications/channels/EMAIL/hold", {}, STAFF),
    ("POST", "notifications/channels/EMAIL/release", {}, STAFF),
    ("POST", "notifications/channels/EMAIL/resume", {}, STAFF),
    ("POST", "notifications/channels/EMAIL/test", {}, (401, 401, 202, 202)),
    ("GET", "/scheduler/metrics", None, FIGURES),
    ("GET", "/metrics/prometheus", None, FIGURES),
    ("GET", "/metrics", None, FIGURES),
    ("GET", "/api/schema", None, READ),
    ("GET", "/healthz", None, (200, 200, 200, 200)),
    ("GET", "/readyz", None, (200, 200, 200, 200)),
]
CALLERS = ("anonymous", "token", "plain", "staff")


@pytest.fixture
def otto(django_user_model):
    return django_user_model.objects.create_user("otto")


@pytest.fixture
def address(otto):
    make_job()
    things = {
        "run": start_run("nightly").pk,
        "alert": make_alert().pk,
        "notification": make_notification(otto, state=NotificationState.DEAD).pk,
    }
    return lambda path: (path if path.startswith("/") else f"/api/v1/{path}").format(**things)


@pytest.mark.parametrize(("method", "path", "body", "expected"), MATRIX)
def test_each_caller_gets_what_is_due(request, address, method, path, body, expected):
    sent = (json.dumps(body), "application/json") if body is not None else ("",)
    seen = []
    for name in CALLERS:
        client = request.getfixturevalue(name)
        seen.append(client.generic(method, address(path), *sent).status_code)
    assert tuple(seen) == expected


@pytest.mark.parametrize("path", sorted({path.partition("?")[0] for _, path, *_ in MATRIX}))
def test_address_works_with_and_without_a_slash(address, plain, path):
    bare = address(path)
    assert resolve(bare).url_name == resolve(f"{bare}/").url_name
    assert plain.options(f"{bare}/").status_code == plain.options(bare).status_code != 301


def test_matrix_has_every_endpoint():
    known = {(_shape(path), method) for method, path, *_ in MATRIX if not path.startswith("/")}
    for pattern, methods in _endpoints():
        for method in methods:
            assert (pattern, method) in known, f"{method} {pattern} is not in the table"


def _endpoints():
    for resolver in get_resolver().url_patterns:
        if str(resolver.pattern) == "api/v1/":
            for one in resolver.url_patterns:
                allowed = one.callback.cls().allowed_methods
                yield _plain(str(one.pattern)), [m for m in allowed if m not in ("OPTIONS", "HEAD")]


def _plain(regex):
    return re.sub(r"\(\?P<\w+>[^)]*\)", "*", regex.removeprefix("^").removesuffix("/?$"))


def _shape(path):
    path = path.partition("?")[0]
    return re.sub(r"\{\w+\}|(?<=jobs/)nightly|(?<=channels/)EMAIL", "*", path)


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
