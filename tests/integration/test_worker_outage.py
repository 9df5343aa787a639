"""What a worker does while the database is away, and with an outcome that cannot be stored."""

from __future__ import annotations

from itertools import count

import pytest
from django.db import DataError, OperationalError

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.board import Board
from notifications_app.channels import registry
from notifications_app.channels.base import Outcome
from notifications_app.models import AlertNotification, DeliveryAttempt
from notifications_app.recording import record
from notifications_app.worker import Worker
from tests.story import make_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def row():
    make_person("olga", email_enabled=False, wechat_enabled=False)
    raise_alert(NewAlert(fingerprint="disk", title="Disk full", owner="olga"))
    return AlertNotification.objects.get()


def test_drain_waits_for_a_database_that_is_away(row, monkeypatch, settings):
    settings.VIGIL_NOTIFICATIONS = {**settings.VIGIL_NOTIFICATIONS, "POLL_S": 0.05}
    looks, read = count(), Board.read

    def away(*arguments):
        if next(looks) < 3:
            raise OperationalError("the connection is lost")
        return read(*arguments)

    monkeypatch.setattr(Board, "read", away)
    Worker(concurrency=1).run(drain=True)
    row.refresh_from_db()
    assert row.state == "SENT"


def test_outcome_waits_as_long_as_the_database_is_away(row, monkeypatch):
    monkeypatch.setattr("notifications_app.dispatcher.RECORD_AGAIN_S", 0.01)
    tries = count()

    def away(results):
        if next(tries) < 5:
            raise OperationalError("the connection is lost")
        record(results)

    monkeypatch.setattr("notifications_app.dispatcher.record", away)
    Worker(concurrency=1).run(drain=True)
    row.refresh_from_db()
    assert row.state == "SENT"


def test_outcome_that_cannot_be_stored_is_stored_without_the_answer(row, monkeypatch):
    """It was sent: to send it again would be worse than to lose what the gateway said."""

    def picky(results):
        if any(one.outcome and one.outcome.answer for one in results):
            raise DataError("a text that this database refuses")
        record(results)

    def chatty(channel, messages):
        return [Outcome(message_id=message.id, answer="odd") for message in messages]

    monkeypatch.setattr("notifications_app.dispatcher.record", picky)
    monkeypatch.setattr(registry.kind_of("SYSTEM"), "send", chatty)
    Worker(concurrency=1).run(drain=True)
    row.refresh_from_db()
    assert (row.state, DeliveryAttempt.objects.get().answer) == ("SENT", "")
