from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from alerts_app.intake import NewAlert, raise_alert
from alerts_app.models import AlertRecord
from alerts_app.states import AlertState
from scheduler_app.admin import base
from tests.factories import make_user

LIST = "/admin/alerts_app/alertrecord/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert() -> AlertRecord:
    occurrence = raise_alert(NewAlert(fingerprint="f", title="Disk full", owner="olga", body="<b>"))
    return occurrence.alert


def test_list_and_page_show_the_alert(admin_client, alert):
    assert "Disk full" in admin_client.get(f"{LIST}?state__exact=OPEN&q=disk").content.decode()
    text = admin_client.get(f"{LIST}{alert.pk}/change/").content.decode()
    assert "<pre>&lt;b&gt;</pre>" in text


def test_acknowledge(act, said, alert):
    assert said(act(LIST, "acknowledge", [alert.pk])) == ["1 alert is acknowledged."]
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == (AlertState.ACKNOWLEDGED, "boss")


def test_resolve_leaves_an_occurrence(act, said, alert):
    assert said(act(LIST, "resolve", [alert.pk])) == ["1 alert is resolved."]
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_by) == (AlertState.RESOLVED, "boss")
    assert alert.occurrences.filter(kind="RESOLVE").count() == 1


def test_move_that_is_not_allowed_is_said(act, said, alert):
    act(LIST, "resolve", [alert.pk])
    (text,) = said(act(LIST, "acknowledge", [alert.pk]))
    assert "RESOLVED and cannot become ACKNOWLEDGED" in text


def test_alerts_are_read_only(admin_client, alert):
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{alert.pk}/change/", {"title": "x"}).status_code == 403
    assert admin_client.post(f"{LIST}{alert.pk}/delete/", {"post": "yes"}).status_code == 403


def test_page_of_a_flapping_alert_shows_the_latest_occurrences(admin_client, alert, monkeypatch):
    monkeypatch.setattr(base, "SHOWN_IN_INLINE", 3)
    for number in range(5):
        raise_alert(NewAlert(fingerprint="f", title="Disk full", body=f"time {number}"))
    text = admin_client.get(f"{LIST}{alert.pk}/change/").content.decode()
    assert "time 4" in text
    assert "time 1" not in text


def test_reader_has_no_actions(client, alert):
    reader = make_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_alertrecord"))
    client.force_login(reader)
    data = {"action": "resolve", "_selected_action": [alert.pk], "index": "0"}
    client.post(LIST, data)
    alert.refresh_from_db()
    assert alert.state == AlertState.OPEN
