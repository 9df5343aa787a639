"""Who may open which page, and what every page is free of."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.views.defaults import server_error

from alerts_app.models import AlertRecord
from notifications_app.models import AlertNotification, ChannelState
from scheduler_app.models import JobRun, ScheduledJob
from tests import factories
from tests.integration.pages.conftest import fire, notify

pytestmark = pytest.mark.django_db

PLAIN = (
    "/",
    "/jobs/",
    "/runs/",
    "/alerts/",
    "/notifications/",
    "/channels/",
    "/inbox/",
    "/settings/",
)
ACTIONS = (
    "/jobs/nightly/enable/",
    "/jobs/nightly/disable/",
    "/jobs/nightly/run/",
    "/jobs/nightly/reset/",
    "/runs/{run}/cancel/",
    "/notifications/{dead}/requeue/",
    "/channels/EMAIL/switch/",
    "/channels/EMAIL/hold/",
)
HANDLING = ("/alerts/{alert}/acknowledge/", "/alerts/{alert}/resolve/")


@pytest.fixture
def addresses(failed_run, alert, dead):
    return (
        *PLAIN,
        "/jobs/nightly/",
        f"/runs/{failed_run.pk}/",
        f"/alerts/{alert.pk}/",
        f"/notifications/{dead.pk}/",
    )


class Inline(HTMLParser):
    """Collects what a strict content security policy would refuse."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = {name for name, _ in attrs}
        self.found += [
            f"{tag}.{name}" for name in names if name == "style" or name.startswith("on")
        ]
        self.found += [f"hx-on in {tag}" for name in names if name.startswith(("hx-on", "hx-vals"))]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)


def inline_parts(html):
    parser = Inline()
    parser.feed(html)
    return parser.found


def test_every_page_opens_for_staff_and_for_others_with_nothing_inline(
    client, staff, olga, addresses
):
    for reader in (staff, olga):
        client.force_login(reader)
        for address in addresses:
            response = client.get(address)
            assert response.status_code == 200, (reader, address)
            assert inline_parts(response.content.decode()) == [], address


def test_a_refresh_answers_with_the_live_part_alone(as_staff, failed_run, alert):
    live = [address for address in PLAIN if address != "/settings/"]
    for address in (*live, "/jobs/nightly/", f"/runs/{failed_run.pk}/"):
        response = as_staff.get(address, headers={"HX-Request": "true"})
        assert response.status_code == 200
        assert b"<html" not in response.content, address


def test_strangers_are_sent_to_the_login_page_and_back(client, addresses):
    for address in addresses:
        response = client.get(address)
        assert (response.status_code, response["Location"]) == (302, f"/login/?next={address}")


def test_a_refresh_after_the_session_ended_goes_to_the_login_page(client):
    response = client.get("/jobs/", headers={"HX-Request": "true"})
    assert response.headers["HX-Redirect"] == "/login/?next=/jobs/"


def test_actions_are_refused_without_permission(as_olga, failed_run, alert, dead):
    for action in ACTIONS:
        address = action.format(alert=alert.pk, dead=dead.pk, run=failed_run.pk)
        assert as_olga.post(address).status_code == 403, address
    assert ScheduledJob.objects.get().enabled
    assert JobRun.objects.count() == 1
    assert AlertNotification.objects.get(pk=dead.pk).state == "DEAD"
    assert not ChannelState.objects.filter(enabled=False).exists()


HOMES = {
    "jobs": "/jobs/nightly/",
    "runs": "/runs/{run}/",
    "alerts": "/alerts/{alert}/",
    "notifications": "/notifications/{dead}/",
    "channels": "/channels/",
    "inbox": "/inbox/",
}
SITE_DOORS = ("/theme/", "/live/", "/logout/")


def test_a_get_of_an_action_leads_to_its_page_and_does_nothing(as_staff, failed_run, alert, dead):
    ids = {"alert": alert.pk, "dead": dead.pk, "run": failed_run.pk}
    doors = (*ACTIONS, *HANDLING, "/inbox/read/", "/channels/EMAIL/test/")
    for address in (action.format(**ids) for action in doors):
        answer = as_staff.get(address, follow=True)
        home = HOMES[address.split("/")[1]].format(**ids)
        assert (answer.status_code, answer.redirect_chain) == (200, [(home, 302)]), address
    for address in SITE_DOORS:
        assert as_staff.get(address, follow=True).redirect_chain == [("/", 302)], address
    assert as_staff.get("/").context["user"].is_authenticated
    assert JobRun.objects.count() == 1
    assert ScheduledJob.objects.get().enabled


def test_what_is_sent_after_the_session_ended_leads_back_and_is_not_done(
    client, staff, failed_run, alert, dead
):
    ids = {"alert": alert.pk, "dead": dead.pk, "run": failed_run.pk}
    password = {"username": "admin", "password": "secret-pass"}
    for action in (*ACTIONS, *HANDLING, "/inbox/read/", "/settings/"):
        address = action.format(**ids)
        home = (
            "/settings/" if action == "/settings/" else HOMES[address.split("/")[1]].format(**ids)
        )
        for sent, page in (({}, home), ({"next": "/jobs/?state=late"}, "/jobs/?state=late")):
            login = client.post(address, sent)["Location"]
            wanted = client.get(login).context["next"]
            after = client.post(login, {**password, "next": wanted}, follow=True)
            assert (after.status_code, after.redirect_chain[-1]) == (200, (page, 302))
            assert "so nothing was done" in after.content.decode(), address
            client.logout()
    assert ScheduledJob.objects.get().enabled
    assert JobRun.objects.count() == 1
    assert AlertRecord.objects.get(pk=alert.pk).state == "OPEN"


def test_what_htmx_sends_after_the_session_ended_goes_to_the_login_page(client, failed_run):
    answer = client.post(
        "/jobs/nightly/run/", {"next": "/jobs/nightly/"}, headers={"HX-Request": "true"}
    )
    assert answer.headers["HX-Redirect"] == "/login/?next=/jobs/nightly/"
    assert JobRun.objects.count() == 1


def test_what_the_api_gets_after_the_session_ended_is_refused_as_json(client, failed_run):
    answer = client.post("/api/v1/scheduler/jobs/nightly/run", {}, content_type="application/json")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/json"


def test_an_admin_action_after_the_session_ended_is_not_done_and_said(client, failed_run):
    factories.make_user("root", is_staff=True, is_superuser=True)
    address = "/admin/scheduler_app/scheduledjob/"
    sent = {"action": "disable", "_selected_action": "nightly", "why": "x", "confirmed": "1"}
    login = client.post(address, sent)["Location"]
    assert login == f"/admin/login/?next={address}"
    client.get(login)
    after = client.post(
        login, {"username": "root", "password": "secret-pass", "next": address}, follow=True
    )
    assert after.redirect_chain == [(address, 302)]
    assert "so nothing was done" in after.content.decode()
    assert ScheduledJob.objects.get().enabled


def test_others_see_the_alerts_and_notifications_that_concern_them(as_olga, olga, staff):
    fire("mine", owner="olga")
    told, foreign = fire("told"), fire("foreign", owner="admin")
    notify(told, olga)
    notify(foreign, staff)
    shown = as_olga.get("/alerts/").content.decode()
    assert "mine" in shown
    assert "told" in shown
    assert "foreign" not in shown
    assert as_olga.get(f"/alerts/{foreign.pk}/").status_code == 404
    assert as_olga.get(f"/notifications/{foreign.notifications.get().pk}/").status_code == 404


def test_text_of_jobs_and_alerts_is_escaped(as_staff, failed_run):
    alert = fire("<script>alert(1)</script>", body="<img src=x onerror=alert(2)>", owner="<q>")
    ScheduledJob.objects.update(name="<script>x</script>", owner="<i>", description="<u>")
    for address in ("/", "/jobs/", "/jobs/nightly/", "/alerts/", f"/alerts/{alert.pk}/"):
        html = as_staff.get(address).content.decode()
        assert inline_parts(html) == [], address
        assert not re.search(r"<(q|i|u|img src=x)>", html), address


def test_unknown_pages_are_404_in_the_shell_of_the_site(as_staff):
    for address in ("/jobs/nobody/", "/runs/99999999999999999999/", "/alerts/1/", "/nowhere/"):
        response = as_staff.get(address)
        assert response.status_code == 404, address
        assert "vg-panel" in response.content.decode()


def test_a_fault_and_a_form_that_is_too_old_get_pages_without_anything_inline(rf, olga):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(olga)
    pages = (server_error(rf.get("/")), strict.post("/inbox/read/"))
    assert [page.status_code for page in pages] == [500, 403]
    for page in pages:
        assert "vg-panel" in page.content.decode()
        assert inline_parts(page.content.decode()) == []


def test_nonsense_in_an_address_is_no_fault_of_the_server(as_staff):
    for address in (
        "/runs/?before=x&state=y&hour=2026-13-01T99",
        "/runs/?before=99999999999999999999999",
        "/jobs/?page=-3&sort=drop&state=x",
        "/notifications/?channel=x&before=-1",
    ):
        assert as_staff.get(address).status_code == 200, address
    for address in (
        "/runs/?job=%00",
        "/jobs/?q=%00",
        "/alerts/?state=%00",
        "/notifications/?a%00=b",
    ):
        assert as_staff.get(address).status_code == 400, address
