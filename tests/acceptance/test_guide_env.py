"""The `.env` of the operations guide as it stands: a failure reaches the mailbox and the group at the first try."""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest
import trustme

from notifications_app import preferences, trace
from notifications_app.models import AlertNotification, LaneState, NotificationSettings
from project.first_run import read_env
from scheduler_app import claims
from scheduler_app.clock import db_now
from scheduler_app.models import ScheduledJob
from tests.factories import declaration, make_user
from tests.gateways import Gateway, Reply, SmtpSink

NEVER = "0 0 1 1 *"
AWAKE = {"quiet_start": None, "quiet_end": None}
GUIDE = """\
EMAIL_ENABLED=true
EMAIL_SMTP_SERVER=smtp.example.com
EMAIL_SMTP_PORT=587
EMAIL_USERNAME=bot@example.com
EMAIL_PASSWORD=your-password
EMAIL_FROM="Project Bot <bot@example.com>"

WECHAT_ENABLED=true
WECHAT_WEBHOOK_URL=https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=xxxx
"""


@pytest.fixture
def gateway():
    with Gateway() as one:
        yield one


@pytest.fixture
def sink(tmp_path):
    """A mail server that offers STARTTLS and wants the login of the guide."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with SmtpSink(tls=context, users={"bot@example.com": "your-password"}) as one:
        one.ca_file = str(tmp_path / "ca.pem")
        yield one


@pytest.fixture
def guided(site, sink, gateway, tmp_path):
    """A site with the guide's `.env`, whose servers are those of the test."""
    text = GUIDE.replace("smtp.example.com", sink.host).replace("587", str(sink.port))
    text = text.replace(GUIDE.split("WEBHOOK_URL=")[1].strip(), gateway.robot)
    (tmp_path / ".env").write_text(f"{text}EMAIL_CA_FILE={sink.ca_file}\n")
    site.env |= read_env(tmp_path / ".env")
    return site


@pytest.fixture
def failing(guided):
    """`failing(owner)`: run a job of theirs, which fails until the file that it returns is gone."""

    def start(owner: str):
        full = guided.folder / "full"
        full.touch()
        fields = {"callable": "fail_while", "kwargs": {"path": str(full)}}
        guided.declare(declaration("nightly", cron=NEVER, owner=owner, **fields))
        guided.together(guided.scheduler, guided.worker)
        run_now()
        return full

    return start


def run_now() -> None:
    claims.request_run(ScheduledJob.objects.get(pk="nightly"))


def told(kind: str) -> set[tuple[str, str, int]]:
    rows = AlertNotification.objects.filter(kind=kind)
    return set(rows.values_list("channel", "state", "tries"))


def test_failure_and_recovery_reach_mailbox_and_group_at_the_first_try(
    failing, sink, gateway, wait_until
):
    make_user("admin", is_superuser=True, is_staff=True)
    full = failing("admin")
    everywhere = {("SYSTEM", "SENT", 1), ("EMAIL", "SENT", 1), ("WECHAT", "SENT", 1)}
    wait_until(lambda: told("FIRE") == everywhere, 20)
    (mail,) = sink.mails
    assert (mail.sender, mail.recipient) == ("bot@example.com", "admin@example.com")
    assert (mail.user, mail.is_private) == ("bot@example.com", True)
    (post,) = gateway.posts
    said = post.json()["text"]
    assert said.keys() == {"content"}
    assert "ValueError: boom" in said["content"]
    assert "For: admin" in said["content"]
    row = AlertNotification.objects.get(kind="FIRE", channel="WECHAT")
    assert (row.reason, row.address) == ("NO_MENTION", "the group")
    steps = [step.text for step in trace.trace(row, db_now()).steps]
    assert "sent: posted to the group without a mention" in steps

    full.unlink()
    run_now()
    wait_until(lambda: told("RESOLVE") == everywhere, 20)
    assert [mail.message["Subject"] for mail in sink.mails] == [
        "[ERROR] Nightly failed",
        "[RESOLVED] Nightly failed",
    ]
    assert len(gateway.posts) == 2
    assert not LaneState.objects.filter(openings__gt=0).exists()


def test_group_gets_one_post_that_mentions_names_and_leaves_the_sleepers_out(
    failing, gateway, wait_until
):
    here = db_now()
    night = {
        "quiet_start": (here - timedelta(hours=1)).time(),
        "quiet_end": (here + timedelta(hours=6)).time(),
        "timezone": "UTC",
    }
    wishes = {
        "anna": {"wechat_userid": "anna"},
        "bert": {"mobile": "13900139000"},
        "carl": {},
        "dora": {"wechat_userid": "dora", **night},
        "emil": night,
        "fred": {"wechat_enabled": False, "wechat_userid": "fred"},
    }
    for name, chosen in wishes.items():
        person = make_user(name, groups=("team",))
        NotificationSettings.objects.create(user=person, email_enabled=False, **chosen)
    failing("team")
    rows = AlertNotification.objects.filter(channel="WECHAT")
    wait_until(lambda: rows.filter(state="SENT").count() == 3, 20)
    (post,) = gateway.posts
    said = post.json()["text"]
    assert said["mentioned_list"] == ["anna"]
    assert said["mentioned_mobile_list"] == ["13900139000"]
    assert "For: carl" in said["content"]
    assert "dora" not in str(said)
    assert "emil" not in str(said)
    waiting = rows.filter(state="PENDING", reason="QUIET_HOURS")
    assert set(waiting.values_list("recipient__username", flat=True)) == {"dora", "emil"}

    # the night is over: the group has heard of it, so one more post is for the person alone whom it mentions
    emil, dora = (rows.get(recipient__username=name).recipient for name in ("emil", "dora"))
    preferences.save(emil, AWAKE)
    wait_until(lambda: rows.get(recipient=emil).state == "SENT", 5)
    assert rows.get(recipient=emil).reason == "NO_MENTION"
    assert len(gateway.posts) == 1
    preferences.save(dora, AWAKE)
    wait_until(lambda: rows.get(recipient=dora).state == "SENT", 5)
    assert [post.json()["text"].get("mentioned_list") for post in gateway.posts] == [
        ["anna"],
        ["dora"],
    ]


def test_people_of_a_post_that_failed_share_the_next_one(failing, gateway, wait_until):
    for name in ("anna", "bert", "carl"):
        person = make_user(name, groups=("team",))
        NotificationSettings.objects.create(user=person, email_enabled=False, system_enabled=False)
    gateway.reply = Reply("", status=502)
    failing("team")
    rows = AlertNotification.objects.filter(channel="WECHAT")
    wait_until(lambda: rows.filter(state="FAILED").count() == 3, 20)
    assert len(set(rows.values_list("due_at", flat=True))) == 1
    gateway.reply = Reply()
    rows.update(due_at=db_now())
    wait_until(lambda: rows.filter(state="SENT").count() == 3, 20)
    assert len(gateway.posts) == 2
