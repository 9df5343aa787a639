"""Who may open and change what: every address of the site, every kind of person."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from alerts_app.models import AlertRecord
from notifications_app.models import AlertNotification, ChannelState
from scheduler_app.models import JobRun, ScheduledJob
from tests import addresses
from tests.addresses import ADMIN, IN, PEOPLE, TABLE, make_things
from tests.factories import make_job, make_user, start_run
from tests.integration.api.conftest import make_alert

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _callables(settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


@pytest.fixture
def olga():
    return make_user("olga", groups=("ops",))


@pytest.fixture
def things(olga):
    return make_things(olga)


@pytest.fixture
def client_of(olga):
    return lambda name: addresses.client_of(name, olga)


def status_of(client, method, address, body):
    """What is changed is undone."""
    sent = (json.dumps(body), "application/json") if body is not None else ("",)
    with transaction.atomic():
        response = client.generic(method, address, *sent)
        transaction.set_rollback(True)
    if response.status_code == 302 and "/login/?next=" in response["Location"]:
        return IN
    return response.status_code


@pytest.mark.parametrize("table", [TABLE, ADMIN], ids=["site", "admin"])
def test_each_person_gets_what_is_due(things, client_of, table):
    clients = {name: client_of(name) for name in PEOPLE}
    wrong = []
    for method, path, body, expected in table:
        address = path.format(**things)
        seen = [status_of(copy.deepcopy(one), method, address, body) for one in clients.values()]
        wrong += [
            (method, path, name, *codes)
            for name, *codes in zip(PEOPLE, seen, expected, strict=True)
            if codes[0] != codes[1]
        ]
    assert wrong == []


def test_table_has_every_address(things):
    named = {
        resolve(path.format(**things).partition("?")[0]).route for _, path, *_ in [*TABLE, *ADMIN]
    }
    assert sorted(set(routes(get_resolver())) - named) == []


def test_table_has_every_method_of_the_api(things):
    named = {
        (resolve(path.format(**things).partition("?")[0]).route, method)
        for method, path, *_ in TABLE
    }
    for route, methods in endpoints(get_resolver()):
        for method in methods:
            assert (route, method) in named


def routes(resolver, before=""):
    for route, _pattern in patterns(resolver, before):
        yield route


def endpoints(resolver):
    for route, pattern in patterns(resolver, ""):
        view = getattr(pattern.callback, "cls", None)
        if view is not None and route.startswith("api/v1/"):
            yield route, [one for one in view().allowed_methods if one not in ("OPTIONS", "HEAD")]


def patterns(resolver, before) -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        route = URLResolver._join_route(before, str(one.pattern))  # as ResolverMatch.route has it
        if isinstance(one, URLPattern):
            yield route, one
        else:
            yield from patterns(one, route)


# the same answer for the same person, whichever way is taken

J, R = "scheduler_app/scheduledjob", "scheduler_app/jobrun"
A, N = "alerts_app/alertrecord", "notifications_app/alertnotification"
C = "notifications_app/channelstate"
WHY = {"why": "broken"}
VERBS = {
    "enable": ("/jobs/nightly/enable/", {}, "scheduler/jobs/nightly/enable", (J, "enable", "nightly", {})),
    "disable": ("/jobs/nightly/disable/", {}, "scheduler/jobs/nightly/disable", (J, "disable", "nightly", WHY)),
    "run": ("/jobs/nightly/run/", {}, "scheduler/jobs/nightly/run", (J, "run_now", "nightly", {"_run": "1"})),
    "reset": ("/jobs/nightly/reset/", {}, "scheduler/jobs/nightly/reset", (J, "reset", "nightly", {})),
    "cancel": ("/runs/{run}/cancel/", {}, "scheduler/runs/{run}/cancel", (R, "cancel", "{run}", {})),
    "acknowledge": (
        "/alerts/{alert}/acknowledge/", {}, "alerts/{alert}/acknowledge", (A, "acknowledge", "{alert}", {})
    ),
    "resolve": ("/alerts/{alert}/resolve/", {}, "alerts/{alert}/resolve", (A, "resolve", "{alert}", {})),
    "requeue": (
        "/notifications/{notification}/requeue/", {}, "notifications/{notification}/requeue",
        (N, "requeue", "{notification}", {}),
    ),
    "switch off": (
        "/channels/EMAIL/switch/", {"enabled": "off"}, "notifications/channels/EMAIL/disable",
        (C, "switch_off", "EMAIL", {}),
    ),
    "pause": (
        "/channels/EMAIL/hold/", {"held": "on"}, "notifications/channels/EMAIL/hold", (C, "hold", "EMAIL", {})
    ),
}  # fmt: skip
NEEDS = {
    "enable": "change_scheduledjob",
    "disable": "change_scheduledjob",
    "run": "run_scheduledjob",
    "reset": "change_scheduledjob",
    "cancel": "change_jobrun",
    "acknowledge": "change_alertrecord",
    "resolve": "change_alertrecord",
    "requeue": "change_alertnotification",
    "switch off": "change_channelstate",
    "pause": "change_channelstate",
}


def state_of_everything():
    return [
        list(model.objects.order_by("pk").values())
        for model in (ScheduledJob, JobRun, AlertRecord, AlertNotification, ChannelState)
    ]


def changes(client, address, data, kind=None):
    before = state_of_everything()
    with transaction.atomic():
        client.post(address, data, **({"content_type": kind} if kind else {}))
        is_changed = state_of_everything() != before
        transaction.set_rollback(True)
    return is_changed


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["staff", "viewer", "needed", "changer", "superuser"])
def test_pages_api_and_admin_agree(things, olga, client_of, verb, name):
    ScheduledJob.objects.update(enabled=verb != "enable")
    ScheduledJob.objects.update(owner="otto", overrides={"owner": {"by": "x"}})
    page_address, form, api_address, (model, action, key, more) = VERBS[verb]
    client = client_of(name)
    if name == "needed":
        user = make_user("other", is_staff=True)
        codenames = (NEEDS[verb], f"view_{model.partition('/')[2]}")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
    ticked = {"action": action, "_selected_action": [key.format(**things)], "index": "0", **more}
    done = {
        "page": changes(client, page_address.format(**things), form),
        "api": changes(client, f"/api/v1/{api_address.format(**things)}", "{}", "application/json"),
        "admin": changes(client, f"/admin/{model}/", ticked),
    }
    assert done == dict.fromkeys(done, name not in ("staff", "viewer"))


def test_permission_to_run_is_none_to_change(things, olga, client_of):
    user = make_user("runner", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["run_scheduledjob", "view_scheduledjob"])
    )
    client = Client()
    client.force_login(user)
    page = client.get("/jobs/nightly/").content.decode()
    assert "/jobs/nightly/run/" in page
    assert "/jobs/nightly/disable/" not in page
    assert client.post("/jobs/nightly/disable/").status_code == 403
    assert (
        client.patch("/api/v1/scheduler/jobs/nightly", "{}", "application/json").status_code == 403
    )


def test_lists_have_what_the_person_may_see(things, client_of):
    make_job("payroll", owner="otto")
    start_run("payroll")
    make_alert(owner="otto")
    for name, jobs in {"plain": 0, "owner": 1, "staff": 0, "viewer": 2}.items():
        client = client_of(name)
        for address in ("scheduler/jobs", "scheduler/runs", "alerts"):
            found = client.get(f"/api/v1/{address}").json()["results"]
            assert len(found) == jobs, (name, address)
        for address in ("/", "/jobs/", "/runs/"):
            assert ("payroll" in client.get(address).content.decode()) is (jobs == 2), (
                name,
                address,
            )
        assert ("otto" in client.get("/jobs/").content.decode()) is (jobs == 2), (
            "choices of the filter"
        )


@pytest.mark.parametrize("owner", ["olga", "ops", "olga@example.com", "otto, ops"])
def test_job_is_seen_by_all_whom_its_owner_means(things, client_of, owner):
    ScheduledJob.objects.update(owner=owner)
    client = client_of("owner")
    for address in ("/jobs/nightly/", f"/runs/{things['run']}/"):
        assert client.get(address).status_code == 200


def test_address_works_with_and_without_a_slash(things, client_of):
    client = client_of("superuser")
    paths = {path for _, path, *_ in TABLE if path.startswith("/api/v1/")}
    assert len(paths) > 30
    for path in paths:
        bare = path.format(**things).partition("?")[0]
        assert resolve(bare).url_name == resolve(f"{bare}/").url_name
        assert client.options(f"{bare}/").status_code == client.options(bare).status_code != 301
