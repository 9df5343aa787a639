"""Promise P8 for the API: what the site must not tell is in no answer."""

from __future__ import annotations

import pytest

from notifications_app import channel_states, preferences
from notifications_app.models import DeliveryAttempt
from notifications_app.states import AttemptOutcome, NotificationState
from scheduler_app.clock import db_now
from scheduler_app.models import JobRun
from scheduler_app.texts import storable
from tests.factories import make_job, make_node, start_run
from tests.integration.api.conftest import make_alert, make_notification

pytestmark = pytest.mark.django_db

SECRETS = (
    *("mail-hidden-1", "robot-hidden-2", "sms-hidden-3", "application-hidden-4"),
    *("whsec_aGlkZGVuLTUtaGlkZGVuLTUtaGlkZGVu", "url-hidden-6", "url-hidden-7"),
)
LEAK = (
    "535 refused password=mail-hidden-1, "
    "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot-hidden-2, "
    "AccessKeySecret: sms-hidden-3"
)


@pytest.fixture
def _configured(settings):
    channels = settings.VIGIL_NOTIFICATIONS
    settings.VIGIL_NOTIFICATIONS = {
        **channels,
        "EMAIL": {**channels["EMAIL"], "ENABLED": True, "SMTP_SERVER": "mail.example.com",
                  "USERNAME": "vigil", "FROM": "vigil@example.com", "PASSWORD": SECRETS[0]},
        "WECHAT": {"ENABLED": True, "WEBHOOK_URL": LEAK.split(", ")[1]},
        "SMS": {**channels["SMS"], "ENABLED": True, "ACCESS_KEY_ID": "id",
                "ACCESS_KEY_SECRET": SECRETS[2]},
        "WECHAT_APP": {"ENABLED": True, "CORP_ID": "ww1", "AGENT_ID": "1", "SECRET": SECRETS[3]},
        "WEBHOOK": {"ENABLED": True, "SECRET": SECRETS[4], "URL": "https://x.example.com/url-hidden-6"},
        "APPRISE": {"ENABLED": True, "URL": "json://me:pass@x.example.com/url-hidden-6"},
    }  # fmt: skip


@pytest.mark.usefixtures("_configured")
def test_no_answer_holds_a_secret(staff, boss):
    own = {
        "webhook_url": f"https://y.example.com/{SECRETS[6]}",
        "apprise_url": f"json://y/{SECRETS[6]}",
    }
    preferences.save(boss, own)
    make_job(description=LEAK, kwargs={"text": LEAK})
    run = start_run("nightly", make_node(file_problem=storable(LEAK, 2000)))
    JobRun.objects.filter(pk=run.pk).update(log=LEAK, result=LEAK, traceback=LEAK)
    alert = make_alert(body=LEAK, labels={"why": LEAK})
    row = make_notification(boss, alert=alert, state=NotificationState.SENT, error_message=LEAK)
    DeliveryAttempt.objects.create(
        notification=row, channel="EMAIL", number=1, started_at=db_now(),
        outcome=AttemptOutcome.PERMANENT, error=LEAK, answer=LEAK,
    )  # fmt: skip
    channel_states.ensure()
    channel_states.note_failures("EMAIL", 1, storable(LEAK, 500), db_now())
    for address in (
        "scheduler/jobs", "scheduler/jobs/nightly", "scheduler/runs", f"scheduler/runs/{run.pk}",
        "scheduler/nodes", "alerts", f"alerts/{alert.pk}", "notifications",
        f"notifications/{row.pk}", "notifications/inbox", "notifications/channels",
        "notifications/settings", "scheduler/verify", "scheduler/metrics",
    ):  # fmt: skip
        text = staff.get(f"/api/v1/{address}").content.decode()
        assert not [secret for secret in SECRETS if secret in text], address
