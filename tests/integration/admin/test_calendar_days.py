from __future__ import annotations

from datetime import date

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from scheduler_app.models import CalendarDay
from tests.factories import make_user

DAYS = "/admin/scheduler_app/calendarday/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def days():
    return CalendarDay.objects.bulk_create(
        [
            CalendarDay(calendar="CN", day=date(2027, 2, 6), is_open=True, name="made up"),
            CalendarDay(calendar="acme", day=date(2026, 12, 24), is_open=False, name="Inventory"),
        ]
    )


def test_days_are_listed_with_their_weekday(admin_client, days):
    text = admin_client.get(DAYS).content.decode()
    assert "Saturday" in text
    assert "Inventory" in text


def test_days_of_one_calendar(admin_client, days):
    page = admin_client.get(f"{DAYS}?calendar=acme")
    assert [one.name for one in page.context["cl"].result_list] == ["Inventory"]


@pytest.mark.parametrize(
    ("said", "stored"), [(" CN ", "CN"), ("DE-BY", "DE-BY"), ("holidays:acme", "holidays:acme")]
)
def test_day_is_entered_for_a_place_or_a_whole_calendar(admin_client, said, stored):
    answer = admin_client.post(f"{DAYS}add/", {"calendar": said, "day": "2027-02-06", "name": ""})
    assert answer.status_code == 302
    day = CalendarDay.objects.get()
    assert (day.calendar, day.day, day.is_open) == (stored, date(2027, 2, 6), False)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"calendar": "cn", "day": "2027-02-07"}, "an exchange like"),
        ({"calendar": "", "day": "2027-02-07"}, "This field is required"),
        ({"calendar": "CN", "day": "2027-02-06"}, "already exists"),
    ],
)
def test_day_that_cannot_be_is_refused(admin_client, days, fields, words):
    page = admin_client.post(f"{DAYS}add/", fields)
    assert words in page.content.decode()
    assert CalendarDay.objects.count() == 2


def test_day_may_be_changed_and_deleted(admin_client, days):
    day = CalendarDay.objects.get(calendar="CN")
    fields = {"calendar": "CN", "day": "2027-02-06", "is_open": "", "name": "off"}
    admin_client.post(f"{DAYS}{day.pk}/change/", fields)
    day.refresh_from_db()
    assert (day.is_open, day.name) == (False, "off")
    admin_client.post(f"{DAYS}{day.pk}/delete/", {"post": "yes"})
    assert CalendarDay.objects.count() == 1


def staff(*codenames: str) -> Client:
    user = make_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_without_permission_nobody_sees_or_enters_days(days):
    client = staff()
    assert client.get(DAYS).status_code == 403
    assert client.get(f"{DAYS}add/").status_code == 403


def test_permission_to_view_is_none_to_enter(days):
    client = staff("view_calendarday")
    assert client.get(DAYS).status_code == 200
    assert client.post(f"{DAYS}add/", {"calendar": "CN", "day": "2027-05-01"}).status_code == 403


def test_permission_to_add_is_enough_to_enter_days():
    client = staff("add_calendarday")
    client.post(f"{DAYS}add/", {"calendar": "CN", "day": "2027-05-01"})
    assert CalendarDay.objects.count() == 1
