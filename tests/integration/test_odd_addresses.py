"""No address, parameter, form or body makes the server fail: what cannot be meant is 404 or 400."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests import addresses
from tests.addresses import TABLE, make_things
from tests.factories import make_user

pytestmark = pytest.mark.django_db

ODD = [
    "a\0b", "-1", "9" * 18, "9" * 19, "9" * 40, "1e400", "NaN", "\udcff", "x" * 5000, "'\"--%s", "../../etc",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23", "99999-01-01", "🦊", "{}",
]  # fmt: skip
if connection.vendor == "sqlite":  # the others say nothing of a database
    ODD = ["a\0b", "9" * 19, "9" * 40, "\udcff", "0001-01-01T00:00:00+14:00", "9999-12-31T23"]
OF_PAGES = (
    "before", "page", "job", "state", "hour", "owner", "category", "q", "sort", "enabled", "severity", "channel",
    "person", "show", "next",
)  # fmt: skip
JSON = "application/json"
OF_API = {
    "scheduler/jobs": ("after", "limit", "owner", "q"),
    "scheduler/runs": ("before", "job", "since", "until"),
    "scheduler/slots": ("job",),
    "scheduler/slots?job=nightly": ("since", "until", "after"),
    "scheduler/nodes": ("before", "kind"),
    "alerts": ("before", "owner"),
    "notifications": ("before", "alert", "channel"),
    "notifications/settings": ("user",),
    "notifications/inbox": ("before", "unread"),
}
OF_ADMIN = {
    "scheduler_app/scheduledjob": ("q", "p", "o", "owner__exact", "id__in"),
    "scheduler_app/jobrun": ("job", "node", "id__in", "id__exact", "started_at__gte", "e"),
    "scheduler_app/calendarday": ("day__year", "day__month", "day__day", "id__lt"),
    "alerts_app/alertrecord": ("id__in", "first_seen_at__year", "_to_field"),
    "notifications_app/alertnotification": ("channel", "alert__exact", "id__in"),
}


@pytest.fixture(autouse=True)
def _callables(settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


@pytest.fixture
def things():
    return make_things(make_user("olga", groups=("ops",)))


@pytest.fixture
def boss(things):
    client = addresses.client_of("superuser", None)
    client.raise_request_exception = False
    return client


def encoded(value: str) -> str:
    return quote(value, safe="", errors="surrogateescape")


def status(client: Client, method: str, address: str, *sent: str, **headers: str) -> int:
    """What is changed is undone."""
    with transaction.atomic():
        answer = client.generic(method, address, *sent, **headers)
        if connection.connection is not None:
            transaction.set_rollback(True)
    return answer.status_code


def failures(client, requests):
    seen = [(status(client, *one), one) for one in requests]
    assert seen
    return [(code, one) for code, one in seen if code >= 500]


def patterns(resolver, before=""):
    for one in resolver.url_patterns:
        route = URLResolver._join_route(before, str(one.pattern))
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from patterns(one, route)


def addresses_with(value: str):
    """Every address of the site with `value` in the place of each parameter."""
    for route in patterns(get_resolver()):
        plain = re.sub(r"\(\?P<\w+>(?:[^()]|\([^)]*\))*\)|<\w+:\w+>|<path:\w+>", "{}", route)
        plain = re.sub(r"[\^$?\\]|\(/\|\)", "", plain)
        if "{}" in plain:
            yield "/" + plain.replace("{}", encoded(value))


@pytest.mark.parametrize("value", ODD)
def test_odd_value_in_the_path(boss, value):
    found = list(addresses_with(value))
    assert len(found) > 60
    assert failures(boss, [(method, one) for one in found for method in ("GET", "POST")]) == []


@pytest.mark.parametrize("value", ODD)
def test_odd_value_in_the_query(boss, value):
    pages = ("", "jobs/", "runs/", "alerts/", "notifications/", "channels/", "inbox/", "login/")
    together = "&".join(f"{name}={encoded(value)}" for name in OF_PAGES)
    found = [f"/{one}?{together}" for one in pages]
    for home, lists in (("/api/v1", OF_API), ("/admin", OF_ADMIN)):
        for one, names in lists.items():
            mark = "&" if "?" in one else "?" if home == "/api/v1" else "/?"
            found += [f"{home}/{one}{mark}{name}={encoded(value)}" for name in names]
    assert failures(boss, [("GET", one) for one in found]) == []


@pytest.mark.parametrize("value", ODD)
def test_odd_value_in_a_form(boss, things, value):
    names = (
        "why",
        "next",
        "id",
        "username",
        "password",
        "language",
        "theme",
        "email",
        "quiet_start",
        "params",
        "enabled",
    )
    form = "&".join(f"{name}={encoded(value)}" for name in names)
    posts = [
        path.format(**things)
        for method, path, *_ in TABLE
        if method == "POST" and "/api/" not in path
    ]
    sent = (form, "application/x-www-form-urlencoded")
    assert failures(boss, [("POST", one, *sent) for one in (*posts, "/settings/", "/login/")]) == []


@pytest.mark.parametrize("value", [*ODD, 10**30, -1, 1e308, True, None, {"a\0": 1}])
def test_odd_value_in_a_body(boss, things, value):
    bodies = {
        "scheduler/jobs/nightly": ("owner", "cron", "kwargs", "timeout_s", "revision", "why"),
        "scheduler/jobs/nightly/disable": ("why",),
        "scheduler/jobs/nightly/reset": ("fields",),
        "scheduler/jobs/nightly/run": ("params",),
        "notifications/requeue": ("ids", "since", "person", "alert"),
        "notifications/settings": ("email", "mobile", "quiet_start", "webhook_url"),
        "notifications/inbox/read": ("ids",),
    }
    found = [
        (
            "PATCH" if one.endswith(("nightly", "settings")) else "POST",
            f"/api/v1/{one}",
            json.dumps(body),
            JSON,
        )
        for one, names in bodies.items()
        for name in names
        for body in ({name: value}, {name: [value]}, {name: {"text": value}})
    ]
    assert failures(boss, found) == []


def test_what_cannot_exist_is_not_found(boss):
    assert status(boss, "GET", "/jobs/%00/") == 404
    assert status(boss, "POST", "/notifications/99999999999999999999/requeue/") == 404
    assert status(boss, "GET", "/jobs/?q=%00") == 400
    assert status(boss, "GET", "/api/v1/scheduler/runs?since=0001-01-01T00:00:00%2B14:00") == 400


def test_odd_cookie_is_refused(boss):
    boss.cookies["sessionid"] = r'"\000"'
    assert status(boss, "GET", "/jobs/") in (302, 400)
