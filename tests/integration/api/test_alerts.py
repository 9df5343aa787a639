from __future__ import annotations

import pytest

from alerts_app import lifecycle
from alerts_app.models import AlertRecord
from alerts_app.states import AlertState
from scheduler_app.states import Severity
from tests.factories import make_user
from tests.integration.api.conftest import client_for, ids, make_alert, make_notification

pytestmark = pytest.mark.django_db

ALERTS = "/api/v1/alerts"


def test_staff_see_all_and_others_what_concerns_them(staff, plain, olga):
    make_alert()
    owned = make_alert(owner="olga")
    told = make_alert()
    make_notification(olga, alert=told)
    assert len(ids(staff.get(ALERTS), "alert_id")) == 3
    assert ids(plain.get(ALERTS), "alert_id") == [told.pk, owned.pk]


def test_members_see_the_alerts_of_their_group(db):
    alert = make_alert(owner="ops")
    member = client_for(make_user("mia", groups=("ops",)))
    assert member.get(f"{ALERTS}/{alert.pk}").status_code == 200


def test_list_is_filtered(staff):
    olgas = make_alert(owner="olga", severity=Severity.CRITICAL)
    other = make_alert(severity=Severity.WARNING)
    lifecycle.acknowledge(other.pk, by="boss")
    AlertRecord.objects.filter(pk=other.pk).update(title="Disk is full")
    assert ids(staff.get(f"{ALERTS}?owner=olga"), "alert_id") == [olgas.pk]
    assert ids(staff.get(f"{ALERTS}?severity=WARNING"), "alert_id") == [other.pk]
    assert ids(staff.get(f"{ALERTS}?state=ACKNOWLEDGED"), "alert_id") == [other.pk]
    assert ids(staff.get(f"{ALERTS}?q=DISK"), "alert_id") == [other.pk]


def test_list_goes_on_where_a_page_ended(staff):
    made = [make_alert().pk for _ in range(3)]
    first = staff.get(f"{ALERTS}?limit=2")
    assert ids(first, "alert_id") == made[:0:-1]
    assert ids(staff.get(first.json()["next"]), "alert_id") == made[:1]


def test_those_that_are_not_resolved_are_first_on_every_page(staff):
    made = [make_alert() for _ in range(7)]
    for alert in made[2:]:
        lifecycle.resolve(alert.pk, by="boss")
    lifecycle.acknowledge(made[1].pk, by="boss")
    wanted = [made[number].pk for number in (1, 0, 6, 5, 4, 3, 2)]
    for limit in (1, 2, 3, 7, 50):
        found, address = [], f"{ALERTS}?limit={limit}"
        while address:
            answer = staff.get(address)
            found += ids(answer, "alert_id")
            address = answer.json()["next"]
        assert found == wanted, limit


@pytest.mark.parametrize("query", ["state=GONE", "severity=error", "page=2", "limit=1000"])
def test_bad_query_is_400_with_its_name(staff, query):
    answer = staff.get(f"{ALERTS}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [query.partition("=")[0]])


def test_list_costs_the_same_for_many_alerts(staff, django_assert_num_queries):
    for _ in range(10):
        make_alert()
    with django_assert_num_queries(
        4
    ):  # session, user, alerts that are not resolved, those that are
        assert len(staff.get(ALERTS).json()["results"]) == 10


def test_detail_has_the_occurrences(staff):
    alert = make_alert(fingerprint="twice", body="first")
    make_alert(fingerprint="twice", body="second")
    answer = staff.get(f"{ALERTS}/{alert.pk}").json()
    assert [one["body"] for one in answer["occurrences"]] == ["second", "first"]
    assert answer["occurrence_count"] == 2


def test_owner_acknowledges_and_resolves(plain):
    alert = make_alert(owner="olga")
    acknowledged = plain.post(f"{ALERTS}/{alert.pk}/acknowledge")
    assert acknowledged.json()["state"] == AlertState.ACKNOWLEDGED
    assert acknowledged.json()["acknowledged_by"] == "olga"
    resolved = plain.post(f"{ALERTS}/{alert.pk}/resolve")
    assert (resolved.json()["state"], resolved.json()["resolved_by"]) == ("RESOLVED", "olga")


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_wrong_state_is_409(staff, action):
    alert = make_alert()
    lifecycle.resolve(alert.pk, by="boss")
    answer = staff.post(f"{ALERTS}/{alert.pk}/{action}")
    assert answer.status_code == 409
    assert "RESOLVED" in answer.json()["detail"]


def test_alert_of_others_is_left_alone(plain):
    alert = make_alert(owner="otto")
    assert plain.post(f"{ALERTS}/{alert.pk}/resolve").status_code == 404
    assert AlertRecord.objects.get().state == AlertState.OPEN


def test_action_takes_no_fields(staff):
    alert = make_alert()
    answer = staff.post(f"{ALERTS}/{alert.pk}/resolve", {"state": "OPEN"}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["state"])
