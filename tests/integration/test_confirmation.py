"""An address that a person enters gets one message until its reader has confirmed it; what is asked for is limited."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from alerts_app.models import AlertRecord
from notifications_app import confirmation, preferences
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.test_messages import send_test
from notifications_app.worker import Worker
from tests.factories import make_user
from tests.gateways import SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)

STRANGER = "stranger@example.org"
SETTINGS = "/api/v1/notifications/settings"


@pytest.fixture
def sink(settings):
    with SmtpSink() as one:
        email = {
            "ENABLED": True,
            "SMTP_SERVER": one.host,
            "SMTP_PORT": one.port,
            "FROM": "bot@example.com",
        }
        settings.VIGIL_NOTIFICATIONS = {
            "QUEUE": "database", "SITE_URL": "http://testserver", "EMAIL": {**email, "USE_TLS": "false"},
        }  # fmt: skip
        yield one


@pytest.fixture
def olga():
    return make_user("olga")


@pytest.fixture
def as_olga(olga):
    client = Client()
    client.force_login(olga)
    return client


def wants(client, address):
    return client.patch(SETTINGS, {"email": address}, "application/json")


def delivered(sink):
    Worker(concurrency=1).run(drain=True)
    return [mail.recipient for mail in sink.mails]


def link_in(sink):
    text = sink.messages[-1].get_body(("plain",)).get_content()
    return urlsplit(
        re.search(r"http://testserver/\S+/confirm/\S+|http://testserver/confirm/\S+", text)[0]
    ).path


def test_new_address_is_used_after_its_reader_has_confirmed_it(sink, as_olga, olga):
    answer = wants(as_olga, STRANGER).json()
    assert (answer["email"], answer["email_pending"]) == ("", STRANGER)
    send_test("EMAIL", olga)
    assert sorted(delivered(sink)) == ["olga@example.com", STRANGER]
    sink.mails.sort(key=lambda mail: mail.recipient == STRANGER)
    link = link_in(sink)
    nobody = Client()
    assert nobody.get(link).status_code == 200
    assert preferences.of(olga).email == "", "a scanner that follows links confirms nothing"
    assert nobody.post(link).status_code == 200
    assert (preferences.of(olga).email, preferences.of(olga).email_pending) == (STRANGER, "")
    assert nobody.post(link).status_code == 404
    send_test("EMAIL", olga)
    assert delivered(sink)[-1] == STRANGER


def test_the_person_who_entered_it_does_not_see_the_link(sink, as_olga):
    wants(as_olga, STRANGER)
    delivered(sink)
    row, alert = AlertNotification.objects.get(), AlertRecord.objects.get()
    for address in (
        "/inbox/",
        f"/notifications/{row.pk}/",
        "/notifications/",
        "/settings/",
        "/alerts/",
        f"/alerts/{alert.pk}/",
    ):
        assert "/confirm/" not in as_olga.get(address).content.decode()
    assert "/confirm/" not in as_olga.get(f"/api/v1/notifications/{row.pk}/trace").content.decode()


def test_link_is_for_one_address_and_one_day(sink, as_olga, olga):
    wants(as_olga, STRANGER)
    link = urlsplit(confirmation.link_for(olga.pk, STRANGER)).path
    assert Client().get(f"{link[:-3]}xx/").status_code == 404
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert Client().post(link).status_code == 404
    wants(as_olga, "other@example.org")
    assert Client().post(link).status_code == 404
    assert preferences.of(olga).email == ""


def test_confirmations_are_limited_for_a_person(sink, as_olga):
    answers = [wants(as_olga, f"stranger{number}@example.org").status_code for number in range(8)]
    assert answers == [200] * 5 + [429] * 3
    assert len(delivered(sink)) == 5
    assert NotificationSettings.objects.get().email_pending == "stranger4@example.org"


def test_confirmations_are_limited_for_a_target(sink):
    answers = []
    for number in range(5):
        client = Client()
        client.force_login(make_user(f"person{number}"))
        answers.append(wants(client, STRANGER.upper() if number % 2 else STRANGER).status_code)
    assert answers == [200] * 3 + [429] * 2
    assert len(delivered(sink)) == 3


def test_thirty_test_messages_are_few(sink, as_olga):
    wants(as_olga, STRANGER)
    asked = [
        as_olga.post("/api/v1/notifications/channels/EMAIL/test", "{}", "application/json")
        for _ in range(30)
    ]
    assert [one.status_code for one in asked] == [202] * 5 + [429] * 25
    for _ in range(5):
        page = as_olga.post("/channels/EMAIL/test/", {"next": "/channels/"}, follow=True)
        assert "try again later" in page.content.decode()
    assert sorted(delivered(sink)) == ["olga@example.com"] * 5 + [STRANGER]


@pytest.mark.parametrize("address", ["", "olga@example.com"])
def test_address_of_the_account_needs_no_confirmation(as_olga, address):
    assert wants(as_olga, address).json()["email_pending"] == ""
    assert not AlertNotification.objects.exists()


def test_address_that_an_administrator_enters_is_confirmed(olga):
    client = Client()
    client.force_login(make_user("boss", is_superuser=True, is_staff=True))
    answer = client.patch(f"{SETTINGS}?user=olga", {"email": STRANGER}, "application/json").json()
    assert (answer["email"], answer["email_pending"]) == (STRANGER, "")
    assert wants(client, "boss@example.org").json()["email"] == "boss@example.org"
    assert not AlertNotification.objects.exists()
