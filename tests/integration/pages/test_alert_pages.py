from __future__ import annotations

import pytest
from django.contrib.messages import get_messages

from alerts_app.models import AlertRecord
from scheduler_app.pages import keyset
from tests.integration.pages.conftest import fire, notify

pytestmark = pytest.mark.django_db


def test_staff_acknowledge_and_resolve(as_staff, alert):
    as_staff.post(f"/alerts/{alert.pk}/acknowledge/")
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("ACKNOWLEDGED", "admin")
    as_staff.post(f"/alerts/{alert.pk}/resolve/")
    assert AlertRecord.objects.get().state == "RESOLVED"


def test_the_owner_acknowledges_and_resolves_too(as_olga, alert):
    for word, state in (("acknowledge", "ACKNOWLEDGED"), ("resolve", "RESOLVED")):
        assert f"/alerts/{alert.pk}/{word}/" in as_olga.get(f"/alerts/{alert.pk}/").content.decode()
        as_olga.post(f"/alerts/{alert.pk}/{word}/")
        assert AlertRecord.objects.get().state == state


def test_whom_an_alert_does_not_concern_cannot_handle_it(as_olga):
    foreign = fire("foreign", owner="admin")
    for word in ("acknowledge", "resolve"):
        assert as_olga.post(f"/alerts/{foreign.pk}/{word}/").status_code == 404
    assert AlertRecord.objects.get().state == "OPEN"


def test_a_move_that_is_not_allowed_is_a_message(as_staff, alert):
    as_staff.post(f"/alerts/{alert.pk}/resolve/")
    response = as_staff.post(f"/alerts/{alert.pk}/acknowledge/")
    (message,) = [m for m in get_messages(response.wsgi_request) if m.level_tag == "error"]
    assert "cannot become" in str(message)


def test_an_alert_shows_its_occurrences_and_who_was_told(as_staff, olga, alert):
    notify(alert, olga)
    html = as_staff.get(f"/alerts/{alert.pk}/").content.decode()
    assert "Who was told" in html
    assert f"/notifications/{alert.notifications.get().pk}/" in html


def test_others_do_not_read_who_else_was_told(as_olga, staff, alert):
    notify(alert, staff)
    assert "Nobody yet." in as_olga.get(f"/alerts/{alert.pk}/").content.decode()


def test_alerts_are_filtered_by_state_and_severity(as_staff, alert):
    fire("disk is full", severity="CRITICAL")

    def titles(query):
        return [one.title for one in as_staff.get(f"/alerts/?{query}").context["alerts"]]

    assert titles("state=ongoing") == ["disk is full", "nightly failed"]
    assert titles("severity=CRITICAL") == ["disk is full"]
    assert titles("owner=olga") == ["nightly failed"]
    assert titles("state=RESOLVED") == []


def test_a_failed_job_is_named_in_the_readers_language(as_staff, staff):
    labels = {"job_id": "nightly", "job_name": "Nightly", "state": "TIMEOUT"}
    alert = fire("Nightly: timed out", source="RUN", labels=labels, owner="admin")
    row = notify(alert, staff, channel="SYSTEM", state="SENT")
    as_staff.cookies["django_language"] = "zh-hans"
    pages = ("/alerts/", f"/alerts/{alert.pk}/", "/inbox/", f"/notifications/{row.pk}/")
    for path in (*pages, "/notifications/"):
        html = as_staff.get(path).content.decode()
        assert "Nightly 运行超时" in html, path
        assert "timed out" not in html, path


@pytest.mark.parametrize("portion", [1, 2, 3, 50])
def test_open_alerts_come_before_resolved_ones_however_old_they_are(as_staff, monkeypatch, portion):
    monkeypatch.setattr(keyset.portion, "__defaults__", (portion,))
    made = [fire(f"alert{number}") for number in range(7)]
    AlertRecord.objects.filter(pk__in=[one.pk for one in made[2:]]).update(state="RESOLVED")
    AlertRecord.objects.filter(pk=made[1].pk).update(state="ACKNOWLEDGED")
    found, address = [], "/alerts/"
    while address:
        shown = as_staff.get(address).context["alerts"]
        found += [alert.title for alert in shown]
        address = f"/alerts/?before={shown.older}" if shown.older else ""
    assert found == [f"alert{number}" for number in (1, 0, 6, 5, 4, 3, 2)]


def test_an_open_alert_older_than_fifty_resolved_ones_is_on_the_first_page(as_staff):
    fire("old and open")
    for number in range(51):
        fire(f"resolved{number}")
    AlertRecord.objects.exclude(title="old and open").update(state="RESOLVED")
    html = as_staff.get("/alerts/").content.decode()
    assert html.index("old and open") < html.index("resolved50")
