"""Every address of the site, and what each kind of person gets there."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.models import Permission
from django.test import Client

from notifications_app import channel_states, confirmation, preferences
from notifications_app.channels.email import unsubscribe
from notifications_app.models import NotificationSettings
from scheduler_app import conf
from scheduler_app.models import CalendarDay, Node
from tests.factories import make_job, make_user, start_run
from tests.integration.api.conftest import make_alert, make_notification

CALLER = {"username": "olga", "ip_address": "192.0.2.7", "path_info": "/login/"}
APPS = ("scheduler_app", "alerts_app", "notifications_app", "auth", "axes")
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
    ("GET", "/confirm/{confirm}/", None, ANYBODY),
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
KEPT = (
    "accessattempt",
    "accesslog",
    "scheduledjob",
    "jobrun",
    "node",
    "alertrecord",
    "alertnotification",
    "channelstate",
)
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
    "axes/accessattempt": "{attempt}",
    "axes/accesslog": "{log_in}",
    "axes/accessfailurelog": "{failure}",
}.items():
    may_be_made = "" if model.partition("/")[2] in KEPT or model.startswith("axes") else CHANGE
    may_be_deleted = CHANGE if model.startswith("axes") else may_be_made
    ADMIN += [
        ("GET", f"/admin/{model}/", None, in_admin(200, to=VIEW)),
        ("GET", f"/admin/{model}/add/", None, in_admin(200, to=may_be_made)),
        ("GET", f"/admin/{model}/{key}/change/", None, in_admin(200, to=VIEW)),
        ("GET", f"/admin/{model}/{key}/history/", None, in_admin(200, to=VIEW)),
        ("GET", f"/admin/{model}/{key}/delete/", None, in_admin(200, to=may_be_deleted)),
        ("GET", f"/admin/{model}/{key}/", None, in_admin(302, to=STAFF)),
    ]
ADMIN.append(("GET", "/admin/auth/user/{olga}/password/", None, in_admin(200, to=CHANGE)))


def make_things(olga: Any) -> dict[str, Any]:
    """One thing of each kind; what can be owned is olga's."""
    make_job()
    channel_states.ensure()
    NotificationSettings.objects.create(user=olga, email_pending="o@example.org")
    confirm = confirmation.link_for(olga.pk, "o@example.org")
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
        "attempt": AccessAttempt.objects.create(**CALLER, failures_since_start=1).pk,
        "failure": AccessFailureLog.objects.create(**CALLER).pk,
        "log_in": AccessLog.objects.create(**CALLER).pk,
        "confirm": confirm.rstrip("/").rpartition("/")[2],
        "unsubscribe": link.rstrip("/").rpartition("/")[2],
    }


def client_of(name: str, owner: Any) -> Client:
    """A client that acts as the one of PEOPLE."""
    if name == "token":
        return Client(headers={"Authorization": f"Bearer {conf.metrics_token()}"})
    client = Client()
    if name != "anonymous":
        client.force_login(owner if name == "owner" else person(name))
    return client


def person(name: str) -> Any:
    user = make_user(
        name, is_staff=name not in ("plain", "owner"), is_superuser=name == "superuser"
    )
    permissions = Permission.objects.filter(content_type__app_label__in=APPS)
    if name == "viewer":
        permissions = permissions.filter(codename__startswith="view_")
    if name in ("viewer", "changer"):
        user.user_permissions.set(permissions)
    return user
