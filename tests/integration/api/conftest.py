"""Callers of the API, and one thing of each kind."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from alerts_app.intake import NewAlert, raise_alert
from notifications_app import new_rows, preferences
from notifications_app.models import AlertNotification
from notifications_app.states import NotificationKind
from scheduler_app import conf
from scheduler_app.clock import db_now
from tests.factories import make_user

numbers = itertools.count(1)


def client_for(user=None, **options):
    client = APIClient(**options)
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def anonymous():
    return client_for()


@pytest.fixture
def olga(db):
    return make_user("olga")


@pytest.fixture
def boss(db):
    return make_user("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def plain(olga):
    return client_for(olga)


@pytest.fixture
def staff(boss):
    return client_for(boss)


@pytest.fixture
def token():
    client = client_for()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {conf.metrics_token()}")
    return client


@pytest.fixture
def _callables(settings):
    settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "ALLOWED_MODULES": ["tests.jobs"]}


def make_alert(owner="nobody", **fields):
    """An open alert of which nobody is told yet."""
    fingerprint = fields.pop("fingerprint", f"test:{next(numbers)}")
    new = NewAlert(fingerprint=fingerprint, title="It broke", owner=owner, **fields)
    return raise_alert(new).alert


def make_notification(user, channel="SYSTEM", alert=None, **fields):
    """A notification of an alert of nobody's to `user`, changed to `fields`."""
    alert = alert or make_alert()
    now = db_now() - timedelta(seconds=1)
    wishes, occurrence = preferences.of(user), alert.occurrences.first()
    (row,) = new_rows.rows_for(alert, occurrence, NotificationKind.FIRE, wishes, [channel], now)
    row.save()
    AlertNotification.objects.filter(pk=row.pk).update(**fields)
    row.refresh_from_db()
    return row


def ids(response, name):
    return [row[name] for row in response.json()["results"]]
