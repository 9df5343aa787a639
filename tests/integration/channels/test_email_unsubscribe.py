"""The way out of e-mail that each mail carries, and the page behind it."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from notifications_app import preferences
from notifications_app.channels.email import unsubscribe
from notifications_app.models import NotificationSettings
from tests.factories import make_user
from tests.messages import message, person

SITE = "https://vigil.example.com"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def olga(db):
    return make_user("olga")


@pytest.fixture
def path(olga, settings):
    """The address in a mail to olga."""
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": SITE}
    return unsubscribe.link_for(preferences.person_of(preferences.of(olga))).removeprefix(SITE)


def wants_email(user):
    return preferences.wants(preferences.of(user), "EMAIL")


def header(sink, email_to, name, **site):
    email_to(sink).send([message(to=person(key="user:7"))])
    return sink.mails[-1].message[name]


def test_mail_shows_a_way_out_in_one_click(sink, email_to, settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": SITE}
    link = header(sink, email_to, "List-Unsubscribe")
    assert re.fullmatch(rf"<{SITE}/unsubscribe/user:7:[\w-]+/>", link)
    assert header(sink, email_to, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"


def test_way_out_is_written_as_it_is(sink, email_to, settings):
    """A program of a reader looks for the URL itself: encoded words are for texts (RFC 2047, 5)."""
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": SITE}
    link = header(sink, email_to, "List-Unsubscribe")
    assert f"\r\nList-Unsubscribe: {link}\r\n".encode() in sink.mails[-1].data


def test_one_click_is_for_https_alone(sink, email_to, settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": "http://vigil.example.com"}
    assert header(sink, email_to, "List-Unsubscribe").startswith("<http://vigil.example.com/")
    assert header(sink, email_to, "List-Unsubscribe-Post") is None


def test_site_without_an_address_shows_no_way(sink, email_to, settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": ""}
    assert header(sink, email_to, "List-Unsubscribe") is None


def test_each_person_has_a_link_of_their_own(settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": SITE}
    links = {unsubscribe.link_for(person(key=key)) for key in ("user:1", "user:2", "user:1")}
    assert len(links) == 2


def test_one_click_of_a_mail_program_ends_email_without_signing_in(olga, path):
    """It brings neither a cookie nor a token of a form (RFC 8058, 3.1)."""
    answer = Client(enforce_csrf_checks=True).post(path, ONE_CLICK)
    assert answer.status_code == 200
    assert not wants_email(olga)
    assert preferences.wants(preferences.of(olga), "SYSTEM")


def test_repeated_click_is_as_good_as_one(olga, path, client):
    for _ in range(2):
        assert client.post(path, ONE_CLICK).status_code == 200
    assert not wants_email(olga)
    assert NotificationSettings.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_page_changes_nothing(olga, path, client, method):
    assert getattr(client, method)(path).status_code == 200
    assert wants_email(olga)


def test_page_asks_with_a_button_and_tells_what_came_of_it(path, client):
    asked = client.get(path)
    assert "Stop e-mail to me" in asked.content.decode()
    assert asked["Referrer-Policy"] == "no-referrer"
    assert "no-store" in asked["Cache-Control"]
    assert "olga" not in asked.content.decode().replace(path, "")
    assert "You get no e-mail any more" in client.post(path).content.decode()


def test_other_settings_stay(olga, path, client):
    preferences.save(olga, {"mobile": "13800138000", "sms_enabled": True})
    client.post(path)
    saved = preferences.of(olga)
    assert (saved.mobile, saved.sms_enabled, saved.email_enabled) == ("13800138000", True, False)


@pytest.mark.parametrize("method", ["get", "post"])
def test_forged_link_ends_nothing_and_asks_no_table(
    olga, path, client, method, django_assert_num_queries
):
    forged = [
        path[:-3] + "AA/",
        re.sub(r"user:\d+", "user:999999", path),
        "/unsubscribe/x/",
        "/unsubscribe/user:1:/",
    ]
    for address in forged:
        with django_assert_num_queries(0):
            assert getattr(client, method)(address).status_code == 404
    assert wants_email(olga)


def test_link_of_somebody_who_is_gone_is_not_found(olga, path, client):
    olga.delete()
    assert client.post(path).status_code == 404


def test_other_methods_are_refused(path, client):
    assert client.put(path).status_code == 405
