"""Send again what the filters of the list leave, after a page that says what that means."""

from __future__ import annotations

import pytest

from notifications_app import dead_letters
from notifications_app.models import AlertNotification
from tests.factories import make_user
from tests.integration.test_dead_letters import make_dead

LIST = "/admin/notifications_app/alertnotification/"
ACROSS = {"select_across": "1"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows():
    """Two that were refused, one of them to somebody who left, and one that the filter leaves out."""
    olga, gone = make_user("olga"), make_user("gone")
    found = [make_dead(olga, reason="REFUSED"), make_dead(gone, reason="REFUSED"), make_dead(olga)]
    gone.delete()
    return found


def states():
    return list(AlertNotification.objects.order_by("pk").values_list("state", flat=True))


def test_first_a_page_says_how_many_and_what_would_become_of_them(act, rows):
    page = act(f"{LIST}?reason__exact=REFUSED", "requeue", [rows[0].pk], **ACROSS)
    text = page.content.decode()
    assert "2 messages that were given up match" in text
    assert "SYSTEM, refused by the gateway: 2" in text
    assert "Would go out now: 1" in text
    assert "suppressed, the person left: 1" in text
    assert states() == ["DEAD", "DEAD", "DEAD"]


def test_then_those_of_the_filter_are_due_again(act, said, rows):
    confirmed = {**ACROSS, "_confirmed": "1"}
    page = act(f"{LIST}?reason__exact=REFUSED", "requeue", [rows[0].pk], **confirmed)
    assert said(page) == ["2 notifications are due again."]
    assert states() == ["PENDING", "PENDING", "DEAD"]


def test_request_takes_so_many_and_says_that_more_are_left(act, said, rows, monkeypatch):
    monkeypatch.setattr(dead_letters, "BATCH", 1)
    monkeypatch.setattr(dead_letters, "BATCHES_A_REQUEST", 2)
    page = act(LIST, "requeue", [rows[0].pk], **ACROSS, _confirmed="1")
    assert said(page)[0] == "2 notifications are due again."
    assert said(page)[1].startswith("More are left")
    assert states() == ["PENDING", "PENDING", "DEAD"]


def test_page_sends_back_what_it_was_asked(act, rows):
    text = act(LIST, "requeue", [rows[0].pk], **ACROSS).content.decode()
    assert f'name="_selected_action" value="{rows[0].pk}"' in text
    assert 'name="select_across" value="1"' in text
    assert 'name="_confirmed" value="1"' in text


def test_nothing_to_send_again_has_no_button(act):
    row = make_dead(make_user(), state="SENT")
    text = act(LIST, "requeue", [row.pk], **ACROSS).content.decode()
    assert "0 messages" in text
    assert 'type="submit" class="default"' not in text
