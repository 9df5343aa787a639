"""Who may open and change what: every address of the site, every kind of person."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from alerts_app.models import AlertRecord
from notifications_app import channel_states, preferences
from notifications_app.channels.email import unsubscribe
from notifications_app.models import AlertNotification, ChannelState, NotificationSettings
from scheduler_app import conf
from scheduler_app.models import CalendarDay, JobRun, Node, ScheduledJob
from tests.factories import make_job, make_user, start_run
from tests.integration.api.conftest import make_alert, make_notification

pytestmark = pytest.mark.django_db

APPS = ("scheduler_app", "alerts_app", "notifications_app", "auth")
PEOPLE = ("anonymous", "token", "plain", "owner", "staff", "viewer", "changer", "superuser")
"""`staff` may enter the admin and has no permission, `viewer` has those to view, `changer` has all."""
IN = "to log-in"


def allowed(ok: int | str, *, to: str, others: int | str, strangers: int | str) -> tuple:
    """The status for each of PEOPLE: `ok` for those named in `to`, `strangers` for those who have not signed in."""
    names = to.split()
    return tuple(
        ok if name in names else strangers if name in ("anonymous", "token") else others
        for name in PEOPLE
    )


ALL = "plain owner staff viewer changer superuser"
VIEW, CHANGE = "viewer changer superuser", "changer superuser"
ANYBODY = (200,) * len(PEOPLE)


def api(ok: int = 200, *, to: str = ALL, others: int = 403) -> tuple:
    return allowed(ok, to=to, others=others, strangers=401)


def page(ok: int = 200, *, to: str = ALL, others: int = 403) -> tuple:
    return allowed(ok, to=to, others=others, strangers=IN)


OWN = {"to": f"owner {VIEW}", "others": 404}
HANDLE = (401, 401, 404, 200, 404, 403, 200, 200)
HANDLE_PAGE = (IN, IN, 404, 302, 404, 403, 302, 302)
FIGURES = allowed(200, to=f"token {VIEW}", others=403, strangers=401)

TABLE = [
    # the site
    ("GET", "/", None, page()),
    ("GET", "/favicon.ico", None, (302,) * len(PEOPLE)),
    ("GET", "/login/", None, ANYBODY),
    ("POST", "/logout/", None, (302,) * len(PEOPLE)),
    ("POST", "/language/", None, (302,) * len(PEOPLE)),
    ("POST", "/theme/", None, (302,) * len(PEOPLE)),
    ("POST", "/live/", None, (302,) * len(PEOPLE)),
    ("GET", "/healthz", None, ANYBODY),
    ("GET", "/readyz", None, ANYBODY),
    ("GET", "/metrics", None, FIGURES),
    ("GET", "/metrics/prometheus", None, FIGURES),
    ("GET", "/scheduler/metrics", None, FIGURES),
    ("GET", "/api/schema", None, api()),
    ("GET", "/api/docs", None, page()),
    ("GET", "/api/nothing", None, (404,) * len(PEOPLE)),
    ("GET", "/unsubscribe/{unsubscribe}/", None, ANYBODY),
    # pages
    ("GET", "/jobs/", None, page()),
    ("GET", "/jobs/nightly/", None, page(**OWN)),
    ("POST", "/jobs/nightly/enable/", None, page(302, to=CHANGE)),
    ("POST", "/jobs/nightly/disable/", None, page(302, to=CHANGE)),
    ("POST", "/jobs/nightly/run/", None, page(302, to=CHANGE)),
    ("POST", "/jobs/nightly/reset/", None, page(302, to=CHANGE)),
    ("GET", "/runs/", None, page()),
    ("GET", "/runs/{run}/", None, page(**OWN)),
    ("POST", "/runs/{run}/cancel/", None, page(302, to=CHANGE)),
    ("GET", "/nodes/", None, page(to=VIEW)),
    ("GET", "/alerts/", None, page()),
    ("GET", "/alerts/{alert}/", None, page(**OWN)),
    ("POST", "/alerts/{alert}/acknowledge/", None, HANDLE_PAGE),
    ("POST", "/alerts/{alert}/resolve/", None, HANDLE_PAGE),
    ("GET", "/notifications/", None, page()),
    ("GET", "/notifications/{notification}/", None, page(**OWN)),
    ("POST", "/notifications/{notification}/requeue/", None, page(302, to=CHANGE)),
    ("GET", "/channels/", None, page()),
    ("POST", "/channels/EMAIL/switch/", None, page(302, to=CHANGE)),
    ("POST", "/channels/EMAIL/hold/", None, page(302, to=CHANGE)),
    ("POST", "/channels/EMAIL/test/", None, page(302)),
    ("GET", "/inbox/", None, page()),
    ("POST", "/inbox/read/", None, page(302)),
    ("GET", "/settings/", None, page()),
    # the API
    ("GET", "/api/v1/scheduler/jobs", None, api()),
    ("GET", "/api/v1/scheduler/jobs/nightly", None, api(**OWN)),
    ("PATCH", "/api/v1/scheduler/jobs/nightly", {"owner": "olga"}, api(to=CHANGE)),
    ("POST", "/api/v1/scheduler/jobs/nightly/enable", {}, api(to=CHANGE)),
    ("POST", "/api/v1/scheduler/jobs/nightly/disable", {"why": "broken"}, api(to=CHANGE)),
    ("POST", "/api/v1/scheduler/jobs/nightly/run", {}, api(202, to=CHANGE)),
    ("POST", "/api/v1/scheduler/jobs/nightly/reset", {}, api(to=CHANGE)),
    ("GET", "/api/v1/scheduler/runs", None, api()),
    ("GET", "/api/v1/scheduler/runs/{run}", None, api(**OWN)),
    ("POST", "/api/v1/scheduler/runs/{run}/cancel", {}, api(202, to=CHANGE)),
    ("GET", "/api/v1/scheduler/slots?job=nightly", None, api(**OWN)),
    ("GET", "/api/v1/scheduler/nodes", None, api(to=VIEW)),
    ("GET", "/api/v1/scheduler/verify", None, api(to=VIEW)),
    ("GET", "/api/v1/scheduler/metrics", None, FIGURES),
    ("GET", "/api/v1/scheduler/metrics/prometheus", None, FIGURES),
    ("GET", "/api/v1/alerts", None, api()),
    ("GET", "/api/v1/alerts/{alert}", None, api(**OWN)),
    ("POST", "/api/v1/alerts/{alert}/acknowledge", {}, HANDLE),
    ("POST", "/api/v1/alerts/{alert}/resolve", {}, HANDLE),
    ("GET", "/api/v1/notifications", None, api()),
    ("GET", "/api/v1/notifications/{notification}", None, api(**OWN)),
    ("GET", "/api/v1/notifications/{notification}/trace", None, api(**OWN)),
    ("POST", "/api/v1/notifications/{notification}/requeue", {}, api(to=CHANGE)),
    ("POST", "/api/v1/notifications/requeue", {"all": True}, api(to=CHANGE)),
    ("GET", "/api/v1/notifications/settings", None, api()),
    ("PUT", "/api/v1/notifications/settings", {}, api()),
    ("PATCH", "/api/v1/notifications/settings", {}, api()),
    ("GET", "/api/v1/notifications/settings?user=olga", None, api(to=f"owner {VIEW}")),
    ("PUT", "/api/v1/notifications/settings?user=olga", {}, api(to=f"owner {CHANGE}")),
    ("PATCH", "/api/v1/notifications/settings?user=olga", {}, api(to=f"owner {CHANGE}")),
    ("GET", "/api/v1/notifications/inbox", None, api()),
    ("POST", "/api/v1/notifications/inbox/read", {"all": True}, api()),
    ("GET", "/api/v1/notifications/channels", None, api()),
    ("POST", "/api/v1/notifications/channels/EMAIL/enable", {}, api(to=CHANGE)),
    ("POST", "/api/v1/notifications/channels/EMAIL/disable", {}, api(to=CHANGE)),
    ("POST", "/api/v1/notifications/channels/EMAIL/hold", {}, api(to=CHANGE)),
    ("POST", "/api/v1/notifications/channels/EMAIL/release", {}, api(to=CHANGE)),
    ("POST", "/api/v1/notifications/channels/EMAIL/resume", {}, api(to=CHANGE)),
    ("POST", "/api/v1/notifications/channels/EMAIL/test", {}, api(202)),
]


def in_admin(ok: int, *, to: str, others: int = 403) -> tuple:
    """Who is not staff is sent to the log-in of the admin."""
    outside = ("anonymous", "token", "plain", "owner")
    return tuple(IN if name in outside else ok if name in to.split() else others for name in PEOPLE)


STAFF = "staff viewer changer superuser"
ADMIN = [
    ("GET", "/admin/", None, in_admin(200, to=STAFF)),
    ("GET", "/admin/login/", None, (*(200,) * 4, *(302,) * 4)),
    ("POST", "/admin/logout/", None, (302,) * len(PEOPLE)),
    ("GET", "/admin/password_change/", None, in_admin(200, to=STAFF)),
    ("GET", "/admin/password_change/done/", None, in_admin(200, to=STAFF)),
    ("GET", "/admin/autocomplete/", None, in_admin(403, to=STAFF)),
    ("GET", "/admin/jsi18n/", None, in_admin(200, to=STAFF)),
    ("GET", "/admin/r/1/1/", None, in_admin(404, to=STAFF)),
    ("GET", "/admin/scheduler_app/", None, in_admin(200, to=VIEW, others=404)),
    ("GET", "/admin/nothing", None, in_admin(404, to=STAFF)),
]
KEPT = ("scheduledjob", "jobrun", "node", "alertrecord", "alertnotification", "channelstate")
"""Rows that are neither added nor deleted in the admin."""
for model, key in {
    "scheduler_app/scheduledjob": "nightly",
    "scheduler_app/jobrun": "{run}",
    "scheduler_app/node": "{node}",
    "scheduler_app/calendarday": "{day}",
    "alerts_app/alertrecord": "{alert}",
    "notifications_app/alertnotification": "{notification}",
    "notifications_app/channelstate": "EMAIL",
    "notifications_app/notificationsettings": "{olga}",
    "auth/user": "{olga}",
    "auth/group": "{group}",
}.items():
    may_be_made = "" if model.partition("/")[2] in KEPT else CHANGE
    ADMIN += [
        ("GET", f"/admin/{model}/", None, in_admin(200, to=VIEW)),
        ("GET", f"/admin/{model}/add/", None, in_admin(200, to=may_be_made)),
        ("GET", f"/admin/{model}/{key}/change/", None, in_admin(200, to=VIEW)),
        ("GET", f"/admin/{model}/{key}/history/", None, in_admin(200, to=VIEW)),
        ("GET", f"/admin/{model}/{key}/delete/", None, in_admin(200, to=may_be_made)),
        ("GET", f"/admin/{model}/{key}/", None, in_admin(302, to=STAFF)),
    ]
ADMIN.append(("GET", "/admin/auth/user/{olga}/password/", None, in_admin(200, to=CHANGE)))


@pytest.fixture(autouse=True)
def _callables(settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


@pytest.fixture
def olga():
    return make_user("olga", groups=("ops",))


@pytest.fixture
def things(olga):
    """One thing of each kind; what can be owned is olga's."""
    make_job()
    channel_states.ensure()
    NotificationSettings.objects.create(user=olga)
    alert = make_alert(owner="olga")
    run = start_run("nightly")
    link = unsubscribe.link_for(preferences.person_of(preferences.of(olga)))
    return {
        "run": run.pk,
        "node": Node.objects.get().pk,
        "day": CalendarDay.objects.create(calendar="CN", day="2026-01-01", is_open=False).pk,
        "alert": alert.pk,
        "notification": make_notification(olga, alert=alert, state="DEAD").pk,
        "olga": olga.pk,
        "group": olga.groups.get().pk,
        "unsubscribe": link.rstrip("/").rpartition("/")[2],
    }


@pytest.fixture
def client_of(olga):
    def of(name: str) -> Client:
        if name == "token":
            return Client(headers={"Authorization": f"Bearer {conf.metrics_token()}"})
        client = Client()
        if name != "anonymous":
            client.force_login(olga if name == "owner" else person(name))
        return client

    return of


def person(name):
    user = make_user(
        name, is_staff=name not in ("plain", "owner"), is_superuser=name == "superuser"
    )
    permissions = Permission.objects.filter(content_type__app_label__in=APPS)
    if name == "viewer":
        permissions = permissions.filter(codename__startswith="view_")
    if name in ("viewer", "changer"):
        user.user_permissions.set(permissions)
    return user


def status_of(client, method, address, body):
    """What is changed is undone."""
    sent = (json.dumps(body), "application/json") if body is not None else ("",)
    with transaction.atomic():
        response = client.generic(method, address, *sent)
        transaction.set_rollback(True)
    if response.status_code == 302 and "/login/?next=" in response["Location"]:
        return IN
    return response.status_code


@pytest.mark.parametrize(("method", "path", "body", "expected"), [*TABLE, *ADMIN])
def test_each_person_gets_what_is_due(things, client_of, method, path, body, expected):
    address = path.format(**things)
    seen = [status_of(client_of(name), method, address, body) for name in PEOPLE]
    assert dict(zip(PEOPLE, seen, strict=True)) == dict(zip(PEOPLE, expected, strict=True))


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


@pytest.mark.parametrize("path", [path for _, path, *_ in TABLE if path.startswith("/api/v1/")])
def test_address_works_with_and_without_a_slash(things, client_of, path):
    bare = path.format(**things).partition("?")[0]
    client = client_of("superuser")
    assert resolve(bare).url_name == resolve(f"{bare}/").url_name
    assert client.options(f"{bare}/").status_code == client.options(bare).status_code != 301
