from __future__ import annotations

from types import SimpleNamespace

import pytest

from alerts_app.audience import visible_to
from alerts_app.intake import NewAlert, raise_alert
from scheduler_app.people import VIEW_JOBS, may
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def sees(user, owner):
    raise_alert(NewAlert(fingerprint="f", title="It broke", owner=owner))
    return visible_to(user).exists()


@pytest.mark.parametrize(
    "owner", ["olga", "olga, otto", "otto ,olga", "otto,ops", "o.k@example.com", " olga "]
)
def test_an_owner_may_be_several_names_with_commas(owner):
    assert sees(make_user("olga", email="o.k@example.com", groups=("ops",)), owner)


@pytest.mark.parametrize(
    "owner", ["", ",", "olga2", "xolga, otto", "Olga", "olga otto", "o-k@example.com", "otto"]
)
def test_a_name_that_only_looks_like_theirs_is_not_theirs(owner):
    assert not sees(make_user("olga", email="o.k@example.com"), owner)


def test_user_model_without_permissions_has_none():
    assert not may(SimpleNamespace(is_authenticated=True), VIEW_JOBS)
