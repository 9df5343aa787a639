"""One failing job from the file to the inbox, a mail server and the WeChat Work gateway, and its recovery."""

from __future__ import annotations

import time

import pytest

from alerts_app.models import AlertRecord
from notifications_app import inbox
from notifications_app.models import AlertNotification, DeliveryAttempt
from scheduler_app import claims
from scheduler_app.models import JobRun, ScheduledJob
from tests.factories import declaration
from tests.gateways import Gateway, Reply, SmtpSink
from tests.site import states
from tests.story import channels_env, make_person, outcome

NEVER = "0 0 1 1 *"


@pytest.fixture
def sink():
    with SmtpSink() as one:
        yield one


@pytest.fixture
def gateway():
    with Gateway() as one:
        yield one


@pytest.fixture(params=["with Redis", "without Redis"])
def redis_env(request):
    if request.param == "without Redis":
        return {}
    return {"REDIS_URL": request.getfixturevalue("redis_url")}


def run_now(job_id: str) -> JobRun:
    return claims.request_run(ScheduledJob.objects.get(pk=job_id))


def test_failure_is_told_by_every_channel_and_so_is_the_recovery(
    site, sink, gateway, redis_env, wait_until
):
    olga = make_person()
    site.env |= channels_env(sink, gateway) | redis_env
    full = site.folder / "full"
    full.touch()
    fields = {"callable": "fail_while", "kwargs": {"path": str(full)}}
    site.declare(declaration("nightly", cron=NEVER, owner="olga", **fields))
    site.together(site.scheduler, site.worker)
    run_now("nightly")
    told = dict.fromkeys(["SYSTEM FIRE", "EMAIL FIRE", "WECHAT FIRE"], "SENT")
    wait_until(lambda: outcome(site) == told, 20)
    (entry,) = inbox.entries(olga)
    assert entry.alert.title.startswith("Nightly")
    assert sink.messages[0]["Subject"] == "[ERROR] Nightly failed"
    assert "ValueError: boom" in gateway.posts[0].json()["text"]["content"]
    assert gateway.posts[0].json()["text"]["mentioned_list"] == ["olga"]

    full.unlink()
    run_now("nightly")
    wait_until(
        lambda: AlertNotification.objects.filter(kind="RESOLVE", state="SENT").count() == 3, 20
    )
    assert AlertRecord.objects.get().state == "RESOLVED"
    assert sink.messages[1]["Subject"] == "[RESOLVED] Nightly failed"
    assert sink.messages[1]["References"] == sink.messages[0]["References"]


def test_repeated_failure_adds_to_the_open_alert_and_bothers_nobody_again(site, sink, wait_until):
    make_person(wechat_enabled=False)
    site.env |= channels_env(sink)
    site.declare(declaration("nightly", callable="fail", cron=NEVER, owner="olga"))
    site.together(site.scheduler, site.worker)
    for count in (1, 2, 3):
        run_now("nightly")
        wait_until(lambda count=count: states("nightly") == ["FAILED"] * count)
    wait_until(lambda: AlertRecord.objects.get().occurrence_count == 3)
    wait_until(lambda: sink.messages)
    assert AlertNotification.objects.filter(channel="EMAIL").count() == 1


def test_switched_off_channel_ends_with_a_clear_error_and_tells_in_app(site, wait_until):
    make_person(system_enabled=False, wechat_enabled=False)
    site.declare(declaration("nightly", callable="fail", cron=NEVER, owner="olga"))
    site.together(site.scheduler, site.worker)
    run_now("nightly")
    wait_until(lambda: outcome(site) == {"EMAIL FIRE": "DEAD", "SYSTEM FIRE": "SENT"}, 20)
    mail = AlertNotification.objects.get(channel="EMAIL")
    assert "set EMAIL_ENABLED=true" in mail.error_message
    assert DeliveryAttempt.objects.get(notification=mail).outcome == "CONFIGURATION"


def test_transient_failure_is_tried_again_after_five_minutes(site, gateway, wait_until):
    make_person(email_enabled=False, system_enabled=False)
    gateway.reply = Reply("", status=502)
    site.env |= channels_env(gateway=gateway)
    site.declare(declaration("nightly", callable="fail", cron=NEVER, owner="olga"))
    site.together(site.scheduler, site.worker)
    run_now("nightly")
    wait_until(lambda: outcome(site) == {"WECHAT FIRE": "FAILED"}, 20)
    row = AlertNotification.objects.get()
    assert 239 < (row.due_at - row.created_at).total_seconds() < 370
    assert "HTTP 502" in row.error_message
    gateway.reply = Reply()
    AlertNotification.objects.update(due_at=row.created_at)  # five minutes later
    wait_until(lambda: outcome(site) == {"WECHAT FIRE": "SENT"}, 20)
    assert [a.outcome for a in DeliveryAttempt.objects.order_by("pk")] == ["TRANSIENT", "SENT"]


def test_queue_length_is_the_backlog_while_no_worker_runs(site, redis_url, wait_until):
    import redis

    site.env["REDIS_URL"] = redis_url
    for number in range(25):
        make_person(f"person{number}", email_enabled=False, wechat_enabled=False)
    owners = ",".join(f"person{number}" for number in range(25))
    site.declare(
        *[declaration(f"job{n}", callable="fail", cron=NEVER, owner=owners[:150]) for n in range(4)]
    )
    site.scheduler()
    for number in range(4):
        run_now(f"job{number}")
    with redis.Redis.from_url(redis_url) as client:
        key = "notification:dispatch:queue"
        alerts = AlertNotification.objects.order_by().values("alert").distinct()
        wait_until(lambda: alerts.count() == 4, 20)
        wait_until(lambda: client.llen(key) == AlertNotification.objects.count() > 20, 20)
        client.flushall()
        worker = site.worker("--drain", ready=False)
        assert worker.wait(60) == 0
        assert not AlertNotification.objects.exclude(state="SENT").exists()
        assert client.llen(key) == 0


def test_worker_ends_within_ten_seconds_though_its_gateway_hangs(site, gateway, wait_until):
    make_person(email_enabled=False, system_enabled=False)
    gateway.reply = Reply(delay_s=60)
    site.env |= channels_env(gateway=gateway)
    site.env["DJANGO_SETTINGS_MODULE"] = "project.settings"
    site.declare(declaration("nightly", callable="fail", cron=NEVER, owner="olga"))
    _scheduler, worker = site.together(site.scheduler, site.worker)
    run_now("nightly")
    wait_until(lambda: gateway.posts, 20)
    begun_s = time.monotonic()
    worker.stop(timeout_s=12)
    assert time.monotonic() - begun_s < 10


def test_send_test_takes_the_same_way_and_shows_the_answer(site, gateway):
    make_person()
    site.env |= channels_env(gateway=gateway)
    site.worker()
    process = site.manage("send_test", "--channel", "WECHAT", "--to", "olga")
    assert process.wait() == 0
    assert '"errcode": 0' in process.out
    assert "TEST" in gateway.posts[0].json()["text"]["content"]


def test_who_is_told_answers_before_it_happens(site, sink):
    make_person(quiet_start="22:00", quiet_end="07:00", timezone="Asia/Shanghai")
    site.env |= channels_env(sink)
    site.declare(declaration("nightly", owner="olga"))
    site.manage("sync_jobs").wait()
    process = site.manage("who_is_told", "nightly", "--at", "2026-11-24T18:00+00:00")
    assert process.wait() == 0
    assert "olga@example.com" in process.out
    assert "2026-11-24 23:00 UTC" in process.out
    assert "set WECHAT_ENABLED=true" in process.out
