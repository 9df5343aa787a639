from __future__ import annotations

from datetime import timedelta

import pytest

from notifications_app import preferences
from notifications_app.models import AlertNotification
from scheduler_app.clock import db_now
from tests.integration.api.conftest import make_notification

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/notifications/requeue"
DEAD = {"state": "DEAD", "reason": "TRIES_USED_UP", "tries": 5}


def make_dead(user, **fields):
    return make_notification(user, **{**DEAD, "finished_at": db_now(), **fields})


def states():
    return list(AlertNotification.objects.order_by("pk").values_list("state", flat=True))


def test_dry_run_counts_and_changes_nothing(staff, olga, boss):
    preferences.save(boss, {"system_enabled": False})
    make_dead(olga)
    make_dead(boss)
    answer = staff.post(ADDRESS, {"all": True, "dry_run": True}, format="json")
    assert answer.json() == {
        "total": 2,
        "chosen": [{"channel": "SYSTEM", "reason": "TRIES_USED_UP", "count": 2}],
        "sent": 1,
        "sent_resolved": 0,
        "suppressed": {"SWITCHED_OFF": 1},
        "given_up_again": {},
        "waiting": {},
        "requeued": 0,
    }
    assert states() == ["DEAD", "DEAD"]


def test_filter_says_which_go_out_again(staff, olga, boss):
    make_dead(olga, finished_at=db_now() - timedelta(days=3))
    make_dead(boss, reason="REFUSED")
    make_notification(olga, state="SENT")
    body = {"since": (db_now() - timedelta(days=1)).isoformat(), "person": "boss"}
    answer = staff.post(ADDRESS, {**body, "reason": "REFUSED", "channel": "SYSTEM"}, format="json")
    assert (answer.json()["total"], answer.json()["requeued"]) == (1, 1)
    assert states() == ["DEAD", "PENDING", "SENT"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({"dry_run": True}, "non_field_errors"),
        ({"ids": []}, "ids"),
        ({"channel": "FAX"}, "channel"),
        ({"state": "SENT"}, "state"),
    ],
)
def test_what_chooses_nothing_is_refused(staff, olga, body, field):
    make_dead(olga)
    answer = staff.post(ADDRESS, body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert states() == ["DEAD"]


def test_trace_is_for_staff_and_for_whom_it_concerns(staff, plain, olga, boss):
    mine, other = make_dead(olga, error_message="token=hidden-1"), make_dead(boss)
    assert plain.get(f"/api/v1/notifications/{other.pk}/trace").status_code == 404
    for client in (plain, staff):
        facts = client.get(f"/api/v1/notifications/{mine.pk}/trace").json()
        assert (facts["notification_id"], facts["state"], facts["next_at"]) == (
            mine.pk,
            "DEAD",
            None,
        )
        (end,) = [step for step in facts["steps"] if step["kind"] == "END"]
        assert end["facts"]["error"] == "token=***"
        assert len(facts["next"]) == 1
