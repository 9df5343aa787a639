from __future__ import annotations

import pytest

from notifications_app import inbox
from notifications_app.states import NotificationState
from scheduler_app.clock import db_now
from tests.integration.api.conftest import ids, make_notification

pytestmark = pytest.mark.django_db

INBOX = "/api/v1/notifications/inbox"


def make_entry(user, **fields):
    now = db_now()
    return make_notification(user, state=NotificationState.SENT, finished_at=now, **fields)


def test_inbox_is_the_callers_own(staff, olga, boss):
    make_entry(olga)
    mine = make_entry(boss)
    answer = staff.get(INBOX)
    assert ids(answer, "notification_id") == [mine.pk]
    assert answer.json()["unread_count"] == 1
    assert answer.json()["results"][0]["title"] == "It broke"


def test_what_did_not_arrive_is_not_in_it(plain, olga):
    make_notification(olga)
    make_entry(olga, channel="EMAIL")
    assert plain.get(INBOX).json()["results"] == []


def test_only_unread(plain, olga):
    read, unread = make_entry(olga), make_entry(olga)
    inbox.mark_read(olga, [read.pk])
    assert ids(plain.get(f"{INBOX}?unread=true"), "notification_id") == [unread.pk]
    assert ids(plain.get(f"{INBOX}?unread=false"), "notification_id") == [read.pk]


def test_inbox_goes_on_where_a_page_ended(plain, olga):
    made = [make_entry(olga).pk for _ in range(3)]
    first = plain.get(f"{INBOX}?limit=2")
    assert first.json()["unread_count"] == 3
    assert ids(plain.get(first.json()["next"]), "notification_id") == made[:1]


def test_inbox_costs_the_same_for_many(plain, olga, django_assert_num_queries):
    for _ in range(10):
        make_entry(olga)
    with django_assert_num_queries(4):  # session, user, entries, unread
        assert len(plain.get(INBOX).json()["results"]) == 10


def test_chosen_entries_are_marked_as_read(plain, olga, boss):
    mine, other, of_others = make_entry(olga), make_entry(olga), make_entry(boss)
    body = {"ids": [mine.pk, of_others.pk, 10**12]}
    answer = plain.post(f"{INBOX}/read", body, format="json")
    assert answer.json() == {"marked": 1, "unread_count": 1}
    assert inbox.unread_count(boss) == 1
    assert ids(plain.get(f"{INBOX}?unread=true"), "notification_id") == [other.pk]


def test_all_entries_are_marked_as_read(plain, olga):
    make_entry(olga)
    make_entry(olga)
    answer = plain.post(f"{INBOX}/read", {"all": True}, format="json")
    assert answer.json() == {"marked": 2, "unread_count": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"),
        ({"ids": [1], "all": True}, "ids"),
        ({"ids": "1"}, "ids"),
        ({"ids": ["x"]}, "ids"),
        ({"ids": [10**30]}, "ids"),
        ({"ids": list(range(1, 1002))}, "ids"),
        ({"all": False}, "ids"),
        ({"all": "maybe"}, "all"),
        ({"every": True}, "every"),
    ],
)
def test_bad_body_is_400_and_marks_nothing(plain, olga, body, field):
    make_entry(olga)
    answer = plain.post(f"{INBOX}/read", body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert inbox.unread_count(olga) == 1
