"""Who may open which page, and what every page is free of."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.views.defaults import server_error

from notifications_app.models import AlertNotification, ChannelState
from scheduler_app.models import JobRun, ScheduledJob
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


def test_actions_are_posts(as_staff, failed_run, alert, dead):
    for action in (*ACTIONS, *HANDLING):
        address = action.format(alert=alert.pk, dead=dead.pk, run=failed_run.pk)
        assert as_staff.get(address).status_code == 405


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
