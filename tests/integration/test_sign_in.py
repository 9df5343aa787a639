from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt, AccessLog
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from tests.factories import make_user

pytestmark = pytest.mark.django_db

RIGHT, WRONG = "secret-pass", "guessed-by-somebody"


@pytest.fixture(autouse=True)
def olga():
    return make_user("olga", is_staff=True)


def sign_in(password, *, door="/login/", name="olga", address="192.0.2.1", **headers):
    sent = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address, headers=headers).post(door, sent)


def guess(times, **where):
    return [sign_in(WRONG, **where).status_code for _ in range(times)]


@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_account_is_locked_for_an_address_after_wrong_passwords(door):
    assert guess(6, door=door) == [200, 200, 200, 200, 429, 429]
    answer = sign_in(RIGHT, door=door)
    assert answer.status_code == 429
    assert "Try again after" in answer.content.decode()


def test_lock_holds_at_every_door_and_ends_by_itself():
    guess(5)
    assert sign_in(RIGHT, door="/admin/login/").status_code == 429
    with time_machine.travel(timezone.now() + timedelta(minutes=14)):
        assert sign_in(RIGHT).status_code == 429
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert sign_in(RIGHT).status_code == 302


def test_locked_account_costs_no_hashing(monkeypatch):
    guess(5)
    calls = []
    monkeypatch.setattr(
        "django.contrib.auth.backends.ModelBackend.authenticate", lambda *a, **k: calls.append(a)
    )
    assert sign_in(RIGHT).status_code == 429
    assert calls == []


def test_other_accounts_and_other_addresses_are_not_locked():
    make_user("otto")
    guess(5)
    assert sign_in(RIGHT, name="otto").status_code == 302
    assert sign_in(RIGHT, address="192.0.2.2").status_code == 302


def test_account_that_does_not_exist_is_locked_alike():
    assert guess(6, name="nemo") == [200, 200, 200, 200, 429, 429]


def test_account_is_locked_for_unknown_addresses_after_many_more():
    assert sign_in(RIGHT, address="192.0.2.200").status_code == 302
    for number in range(13):
        guess(4, address=f"198.51.100.{number}")
    assert sign_in(RIGHT, address="203.0.113.9").status_code == 429
    assert sign_in(RIGHT, address="192.0.2.200").status_code == 302, "has signed in from there"


def test_success_forgets_the_failures():
    guess(4)
    assert sign_in(RIGHT).status_code == 302
    assert guess(4) == [200] * 4


def test_header_of_a_proxy_counts_only_where_one_is_configured(settings):
    assert guess(5, **{"X-Forwarded-For": "203.0.113.1"})[-1] == 429
    assert sign_in(RIGHT, **{"X-Forwarded-For": "203.0.113.2"}).status_code == 429
    settings.TRUSTED_PROXIES = 1
    assert sign_in(RIGHT, **{"X-Forwarded-For": "203.0.113.66, 203.0.113.2"}).status_code == 302
    assert AccessLog.objects.latest("pk").ip_address == "203.0.113.2"


def test_password_is_kept_nowhere(caplog):
    guess(6)
    kept = [list(model.objects.values_list()) for model in (AccessAttempt, AccessLog)]
    assert WRONG not in f"{kept} {caplog.text}"


def test_lock_is_logged_and_an_administrator_ends_it(caplog):
    guess(5)
    assert "Locking out" in caplog.text
    call_command("axes_reset_username", "olga")
    assert sign_in(RIGHT).status_code == 302
