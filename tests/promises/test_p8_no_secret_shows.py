"""P8: no secret shows in a row, a log, a page, an answer or a figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_app import claims
from scheduler_app.models import JobRun, ScheduledJob
from tests.environment import METRICS_TOKEN
from tests.factories import declaration
from tests.gateways import Gateway, Reply
from tests.story import channels_env, make_person

NEVER = "0 0 1 1 *"
LEAKED = "hunter2-very-secret"


@pytest.fixture
def leaking(site, wait_until):
    """A job that fails with a secret in its error, and a robot that repeats its own address."""
    olga = make_person(email_enabled=False)
    text = f"cannot reach postgres://vigil:{LEAKED}@db/vigil?password={LEAKED}"
    site.declare(declaration("leaky", callable="fail", kwargs={"text": text}, cron=NEVER))
    with Gateway() as gateway:
        gateway.reply = Reply({"errcode": 93000, "errmsg": f"invalid {gateway.robot}"})
        site.env |= channels_env(gateway=gateway)
        site.together(site.scheduler, site.worker)
        run = claims.request_run(ScheduledJob.objects.get(pk="leaky"))
        wait_until(lambda: JobRun.objects.get(pk=run.pk).finished_at)
        refused = olga.vigil_notifications.filter(channel="WECHAT", reason="CHANNEL_REFUSED")
        wait_until(refused.exists, 20)
        yield site, gateway


def test_secret_in_an_error_is_masked_in_rows_logs_pages_api_and_figures(leaking, client):
    site, gateway = leaking
    key = gateway.robot.partition("key=")[2]
    admin = make_person("root", email_enabled=False)
    admin.is_staff = admin.is_superuser = True
    admin.save()
    client.force_login(admin)
    run = JobRun.objects.get()
    shown = [run.error, run.traceback, run.log, Path(site.folder / "log/scheduler.log").read_text()]
    for address in (
        "/", f"/runs/{run.pk}/", "/alerts/", "/notifications/", "/channels/", "/metrics",
        f"/api/v1/scheduler/runs/{run.pk}", "/api/v1/alerts/", "/api/v1/notifications/",
        "/api/v1/notifications/channels", "/api/v1/scheduler/metrics",
        f"/admin/scheduler_app/jobrun/{run.pk}/change/",
    ):  # fmt: skip
        answer = client.get(address, follow=True)
        assert answer.status_code == 200, address
        shown.append(answer.content.decode())
    for text in shown:
        assert LEAKED not in text
        assert key not in text
        assert METRICS_TOKEN not in text
    assert "ValueError" in run.error
