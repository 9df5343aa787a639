from __future__ import annotations

import pytest

from notifications_app.models import AlertNotification, DeliveryAttempt
from notifications_app.states import AttemptOutcome, NotificationState, Reason
from scheduler_app.clock import db_now
from tests.factories import make_user
from tests.integration.api.conftest import ids, make_alert, make_notification

pytestmark = pytest.mark.django_db

NOTIFICATIONS = "/api/v1/notifications"


def make_dead(user):
    return make_notification(
        user, state=NotificationState.DEAD, reason=Reason.TRIES_USED_UP, tries=5
    )


def test_staff_see_all_and_others_their_own(staff, plain, olga, boss):
    mine, other = make_notification(olga), make_notification(boss)
    assert ids(staff.get(NOTIFICATIONS), "notification_id") == [other.pk, mine.pk]
    assert ids(plain.get(NOTIFICATIONS), "notification_id") == [mine.pk]
    assert plain.get(f"{NOTIFICATIONS}/{other.pk}").status_code == 404


def test_list_is_filtered(staff, olga):
    dead = make_dead(olga)
    mail = make_notification(olga, channel="EMAIL")
    assert ids(staff.get(f"{NOTIFICATIONS}?state=DEAD"), "notification_id") == [dead.pk]
    assert ids(staff.get(f"{NOTIFICATIONS}?reason=TRIES_USED_UP"), "notification_id") == [dead.pk]
    assert ids(staff.get(f"{NOTIFICATIONS}?channel=EMAIL"), "notification_id") == [mail.pk]
    assert ids(staff.get(f"{NOTIFICATIONS}?alert={mail.alert_id}"), "notification_id") == [mail.pk]


@pytest.mark.parametrize("query", ["state=GONE", "channel=FAX", "reason=", "alert=x", "user=olga"])
def test_bad_query_is_400_with_its_name(staff, query):
    answer = staff.get(f"{NOTIFICATIONS}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [query.partition("=")[0]])


def test_list_goes_on_where_a_page_ended(plain, olga):
    made = [make_notification(olga).pk for _ in range(3)]
    first = plain.get(f"{NOTIFICATIONS}?limit=2&channel=SYSTEM")
    assert ids(first, "notification_id") == made[:0:-1]
    assert ids(plain.get(first.json()["next"]), "notification_id") == made[:1]


def test_list_costs_the_same_for_many(plain, olga, django_assert_num_queries):
    for _ in range(10):
        make_notification(olga)
    with django_assert_num_queries(5):  # session, user, permissions twice, notifications
        assert len(plain.get(NOTIFICATIONS).json()["results"]) == 10


def test_detail_has_the_attempts(plain, olga):
    row = make_notification(olga)
    for number in (1, 2):
        DeliveryAttempt.objects.create(
            notification=row, channel="SYSTEM", number=number, started_at=db_now(),
            outcome=AttemptOutcome.TRANSIENT, error="no answer",
        )  # fmt: skip
    attempts = plain.get(f"{NOTIFICATIONS}/{row.pk}").json()["attempts"]
    assert [(one["number"], one["error"]) for one in attempts] == [
        (2, "no answer"),
        (1, "no answer"),
    ]


def test_notification_of_somebody_who_left_is_shown(staff):
    user = make_user("gone")
    row = make_notification(user)
    user.delete()
    assert staff.get(f"{NOTIFICATIONS}/{row.pk}").json()["recipient"] == "gone"


def test_dead_notification_gets_another_life(staff, olga):
    row = make_dead(olga)
    answer = staff.post(f"{NOTIFICATIONS}/{row.pk}/requeue")
    assert (answer.json()["state"], answer.json()["tries"]) == ("PENDING", 0)
    again = staff.post(f"{NOTIFICATIONS}/{row.pk}/requeue")
    assert again.status_code == 409
    assert "PENDING" in again.json()["detail"]


def test_nobody_requeues_what_is_their_own(plain, olga):
    row = make_dead(olga)
    assert plain.post(f"{NOTIFICATIONS}/{row.pk}/requeue").status_code == 403
    assert AlertNotification.objects.get().state == NotificationState.DEAD


def test_many_notifications_of_one_alert(plain, olga):
    alert = make_alert()
    made = [make_notification(olga, channel, alert).pk for channel in ("SYSTEM", "EMAIL")]
    answer = plain.get(f"{NOTIFICATIONS}?alert={alert.pk}")
    assert ids(answer, "notification_id") == made[::-1]
