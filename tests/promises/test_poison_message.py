"""P4 and P5: a message that kills every process which sends it is found, and takes none of its neighbours along."""

from __future__ import annotations

from collections import Counter

import pytest

from alerts_app.intake import NewAlert, raise_alert
from notifications_app.models import AlertNotification
from notifications_app.outbox import LOSSES_UNTIL_QUARANTINE
from tests.poison_channel import POISON
from tests.story import make_person

MESSAGES = 50
CONCURRENCY = 8

pytestmark = pytest.mark.timeout(300)


def raise_all(settings) -> None:
    """One of them, in the middle, is the poison; the others come by the same channel alone."""
    settings.VIGIL_NOTIFICATIONS = settings.VIGIL_NOTIFICATIONS | {"STORM": "1000/minute"}
    for number in range(MESSAGES):
        title = POISON if number == MESSAGES // 2 else f"alert {number}"
        raise_alert(NewAlert(fingerprint=f"f{number}", title=title, owner="olga"))
    AlertNotification.objects.update(channel="POISON")


def test_poison_is_quarantined_alone(site, settings, wait_until):
    traced = site.folder / "poison"
    traced.touch()
    site.env |= {
        "DJANGO_SETTINGS_MODULE": "tests.poison_settings",
        "VIGIL_TEST_POISON": str(traced),
    }
    make_person("olga", email_enabled=False, wechat_enabled=False)
    raise_all(settings)
    deaths = 0
    while AlertNotification.objects.filter(finished_at=None).exists():
        worker = site.worker("--concurrency", str(CONCURRENCY), ready=False)
        wait_until(lambda worker=worker: worker.process.poll() is not None or all_ended(), 60)
        if worker.process.poll() is None:
            assert worker.stop() == 0
        else:
            assert worker.process.returncode == 9
            deaths += 1
        assert deaths <= LOSSES_UNTIL_QUARANTINE
    poison = AlertNotification.objects.get(alert__title=POISON)
    assert (poison.state, poison.reason, poison.lost_claims) == ("DEAD", "QUARANTINED", deaths)
    others = AlertNotification.objects.exclude(pk=poison.pk)
    assert Counter(others.values_list("state", flat=True)) == {"SENT": MESSAGES - 1}
    copies = Counter(traced.read_text().splitlines())
    assert len(copies) == MESSAGES
    assert copies[POISON] == LOSSES_UNTIL_QUARANTINE
    # the poison's last two deaths were alone, so they could double nothing
    assert copies.total() - MESSAGES <= LOSSES_UNTIL_QUARANTINE - 1 + 2 * (CONCURRENCY - 1)


def all_ended() -> bool:
    return not AlertNotification.objects.filter(finished_at=None).exists()
