"""Whom a failure reaches, who stands in, and what is found of it beforehand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alerts_app.intake import NewAlert, raise_alert
from notifications_app import channel_states, fan_out, lanes, owner_findings, preferences
from notifications_app.lanes import Lane
from notifications_app.models import AlertNotification, NotificationSettings
from notifications_app.reach import Reach, Wanted
from notifications_app.week import weeks
from scheduler_app import metrics, verify
from scheduler_app.clock import db_now
from scheduler_app.models import ScheduledJob
from scheduler_app.states import Severity
from scheduler_app.verify_report import Note
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db

EMAIL = {"ENABLED": True, "SMTP_SERVER": "127.0.0.1", "FROM": "Vigil <vigil@example.com>"}
ROBOT = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot-key-0123456789"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)  # a Monday
EVERYTHING_OFF = {
    f"{name}_enabled": False
    for name in ("system", "email", "wechat", "wechat_app", "sms", "webhook", "apprise")
}


@pytest.fixture
def site(settings):
    """`site(**channels)`: these channels are configured, DEFAULT_RECIPIENTS is `admin`."""

    def configure(**channels):
        settings.VIGIL_NOTIFICATIONS = {"DEFAULT_RECIPIENTS": ["admin"], **channels}

    configure(EMAIL=EMAIL)
    return configure


def wish(user, **wishes):
    NotificationSettings.objects.update_or_create(user=user, defaults=wishes)


def told(owner: str, severity: str = "ERROR") -> set[tuple[str, str]]:
    """Person and channel of each row that an alert for `owner` gives."""
    occurrence = raise_alert(
        NewAlert(fingerprint=f"{owner}:{severity}", title="x", owner=owner, severity=severity)
    )
    fan_out.fan_out([occurrence.pk])
    rows = AlertNotification.objects.filter(occurrence=occurrence).order_by("pk")
    return {(row.recipient.get_username(), row.channel) for row in rows}


def found() -> list[tuple[str, str]]:
    return [(one.job, one.text) for one in owner_findings.of_owners(db_now())]


def test_owner_whom_a_channel_reaches_is_told_alone(site):
    make_user("admin", is_superuser=True)
    make_user("olga")
    make_job("nightly", owner="olga")
    assert {person for person, _channel in told("olga")} == {"olga"}
    assert found() == []


def test_owner_without_an_address_is_told_in_app_and_the_default_recipients_beside(site):
    make_user("admin")
    make_user("olga", email="")
    make_job("nightly", owner="olga")
    rows = told("olga")
    assert {("olga", "SYSTEM"), ("admin", "EMAIL"), ("admin", "SYSTEM")} <= rows
    ((job, text),) = found()
    assert job == "nightly"
    assert "Only the in-app inbox reaches olga" in text
    assert "EMAIL: no e-mail address set for olga" in text
    assert "Told instead: admin." in text


@pytest.mark.parametrize("kind", ["unknown", "inactive", "empty group", "everything off"])
def test_owner_who_is_not_reached_at_all_has_stand_ins_and_is_found(site, kind):
    make_user("admin")
    olga = make_user("olga", is_active=kind != "inactive", groups=("team",))
    if kind == "empty group":
        olga.groups.first().user_set.clear()
    if kind == "everything off":
        wish(olga, **EVERYTHING_OFF)
    owner = {"unknown": "ghost", "empty group": "team"}.get(kind, "olga")
    make_job("nightly", owner=owner)
    assert {person for person, _channel in told(owner)} == {"admin"}
    ((job, text),) = found()
    assert job == "nightly"
    assert "Told instead: admin." in text


def test_superusers_are_told_in_app_when_the_default_recipients_are_not_reached_either(site):
    make_user("admin", email="")
    root = make_user("root", is_superuser=True, email="")
    make_user("retired", is_superuser=True, is_active=False)
    wish(root, **EVERYTHING_OFF, quiet_start=time(0), quiet_end=time(23, 59))
    assert ("root", "SYSTEM") in told("ghost")
    row = AlertNotification.objects.get(recipient=root)
    assert (row.state, row.reason) == ("PENDING", "LAST_RESORT")
    assert row.due_at == row.created_at
    assert not AlertNotification.objects.filter(recipient__username="retired").exists()


def test_superuser_who_is_told_anyhow_is_told_once(site):
    make_user("admin", is_superuser=True, email="")
    told("ghost")
    assert AlertNotification.objects.filter(channel="SYSTEM").count() == 1


def test_fresh_installation_without_any_channel_is_fine_with_the_inbox(site):
    site()
    make_user("admin", is_superuser=True, email="")
    make_job("nightly", owner="admin")
    assert found() == []
    assert list(owner_findings.of_hours(NOW)) == []


def test_robot_reaches_an_owner_without_any_id(site):
    site(EMAIL=EMAIL, WECHAT={"ENABLED": True, "WEBHOOK_URL": ROBOT})
    make_user("admin")
    make_user("olga", email="")
    make_job("nightly", owner="olga")
    assert {person for person, _channel in told("olga")} == {"olga"}
    assert found() == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("APPRISE", {"ENABLED": True, "URL": "json://127.0.0.1/vigil"}),
        (
            "WEBHOOK",
            {
                "ENABLED": True,
                "URL": "https://example.com/hook",
                "SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            },
        ),
    ],
)
def test_address_that_the_site_has_for_all_reaches_those_who_have_chosen_nothing(
    site, name, options
):
    site(**{name: options})
    olga = make_user("olga", email="")
    assert ("olga", name) in told("olga")
    preferences.save(olga, {"language": "en"})
    assert ("olga", name) in told("olga", "WARNING")
    preferences.save(olga, {f"{name.lower()}_enabled": False})
    assert ("olga", name) not in told("olga", "CRITICAL")


def test_mild_alert_below_the_owners_limits_is_a_wish_and_told_to_no_one(site):
    make_user("admin")
    olga = make_user("olga")
    wish(olga, email_min_severity="ERROR", system_min_severity="ERROR", wechat_enabled=False)
    make_job("nightly", owner="olga", severity="WARNING")
    assert told("olga", "WARNING") == set()
    assert found() == []
    (note,) = owner_findings.of_hours(NOW)
    assert isinstance(note, Note)
    assert note.text == ("olga (nightly): a failure is below the least severity of every channel.")


def test_severe_alert_below_the_owners_limits_has_stand_ins(site):
    make_user("admin")
    olga = make_user("olga")
    wish(olga, email_min_severity="CRITICAL", system_min_severity="CRITICAL")
    assert ("admin", "EMAIL") in told("olga", "ERROR")
    assert {person for person, _channel in told("olga", "CRITICAL")} == {"olga"}


def test_owner_of_a_demonstration_has_no_stand_ins(site):
    site(EMAIL=EMAIL, SILENT_OWNERS=["olga"])
    make_user("admin")
    wish(make_user("olga"), **EVERYTHING_OFF)
    make_job("nightly", owner="olga")
    assert told("olga") == set()
    assert found() == []


def test_alert_about_a_channel_is_not_told_by_that_channel_alone(site):
    make_user("admin", is_superuser=True)
    make_user("olga")
    occurrence = raise_alert(
        NewAlert(
            fingerprint="channel:EMAIL",
            title="EMAIL failed",
            owner="olga",
            source="CHANNEL",
            labels={"channel": "EMAIL"},
        )
    )
    fan_out.fan_out([occurrence.pk])
    assert ("olga", "SYSTEM") in AlertNotification.objects.values_list(
        "recipient__username", "channel"
    )
    assert not AlertNotification.objects.filter(channel="EMAIL").exists()


def test_verification_figure_and_job_page_agree(site, client):
    reader = make_user("reader", is_superuser=True)
    make_user("admin")
    make_user("olga", email="")
    make_job("nightly", owner="olga")
    make_job("hourly", owner="admin")
    make_job("off", owner="olga", enabled=False)
    (one,) = verify.about("nightly", NOW)
    assert verify.about("hourly", NOW) == verify.about("off", NOW) == []
    lines = metrics.exposition(db_now()).splitlines()
    assert {line for line in lines if line.startswith("scheduler_owner_unreachable")} == {
        'scheduler_owner_unreachable{job_id="nightly"} 1',
        'scheduler_owner_unreachable{job_id="hourly"} 0',
        'scheduler_owner_unreachable{job_id="off"} 0',
    }
    client.force_login(reader)
    assert one.text.split("(")[0] in client.get("/jobs/nightly/").content.decode()
    assert "in-app inbox reaches" not in client.get("/jobs/hourly/").content.decode()


def test_costs_a_few_queries_for_any_number_of_jobs_and_owners(site, django_assert_max_num_queries):
    for number in range(20):
        make_user(f"person{number}", email="" if number % 2 else f"p{number}@example.com")
    make_job("first", owner="person0")
    first = ScheduledJob.objects.values().get(pk="first")
    ScheduledJob.objects.bulk_create(
        ScheduledJob(**{**first, "id": f"job{n}", "owner": f"person{n % 20}"}) for n in range(200)
    )
    with django_assert_max_num_queries(16):
        assert len(list(owner_findings.of_owners(NOW))) == 100
        list(owner_findings.of_hours(NOW))


# the week


def night(user, start=time(22), end=time(7), zone="Asia/Shanghai", **wishes):
    wish(user, quiet_start=start, quiet_end=end, timezone=zone, **wishes)


def test_quiet_hours_of_the_only_owner_are_a_note(site):
    night(make_user("olga"))
    make_job("nightly", owner="olga")
    (note,) = owner_findings.of_hours(NOW)
    assert isinstance(note, Note)
    assert note.text == (
        "olga (nightly): Mon-Sun 22:00-07:00 Asia/Shanghai: a failure would wait until 07:00."
    )


def test_critical_failure_that_would_wait_is_a_finding(site):
    olga = make_user("olga")
    night(olga)
    make_job("nightly", owner="olga", severity="CRITICAL")
    (one,) = owner_findings.of_hours(NOW)
    assert not isinstance(one, Note)
    assert "would wait until 07:00" in one.text
    wish(olga, critical_bypasses_quiet=True)
    assert list(owner_findings.of_hours(NOW)) == []


def test_second_owner_who_is_awake_closes_the_gap(site):
    night(make_user("olga"))
    night(make_user("otto"), start=time(23), zone="America/New_York")
    make_job("nightly", owner="olga,otto", severity="CRITICAL")
    assert list(owner_findings.of_hours(NOW)) == []
    night(make_user("anna"), start=time(20), end=time(8), zone="Asia/Shanghai")
    make_job("daily", owner="olga,anna")
    (note,) = owner_findings.of_hours(NOW)
    assert "22:00-07:00" in note.text


def test_channels_that_an_operator_holds_are_a_finding_until_one_is_released(site):
    make_user("olga")
    make_job("nightly", owner="olga")
    channel_states.ensure()
    channel_states.set_held("EMAIL", True, by="test")
    (one,) = owner_findings.of_hours(NOW)
    assert (one.kind, isinstance(one, Note)) == ("held", False)
    assert "every channel is held" in one.text
    channel_states.set_held("EMAIL", False, by="test")
    assert list(owner_findings.of_hours(NOW)) == []


def test_pause_of_the_only_lane_is_a_gap(site):
    make_user("olga")
    lanes.pause(Lane("EMAIL"), 3 * 3600, "asked for it", NOW)
    (week,) = weeks(Reach(["olga"]), [Wanted("olga", "ERROR")], NOW).values()
    assert week.gaps == [(NOW, NOW + timedelta(hours=3))]
    assert [hour.waits_until for hour in week.hours[:4]] == [NOW + timedelta(hours=3)] * 3 + [None]


def test_command_shows_the_week_as_table_and_json(site):
    night(make_user("olga"), zone="UTC")
    make_job("nightly", owner="olga")
    out = StringIO()
    call_command("who_is_told", "nightly", "--week", "--at", "2026-11-30T12:00", stdout=out)
    shown = out.getvalue()
    assert "at once" in shown
    assert "Tue 2026-12-01 07:00 at the latest" in shown
    out = StringIO()
    call_command(
        "who_is_told",
        "nightly",
        "--week",
        "--at",
        "2026-11-30T12:00",
        "--format",
        "json",
        stdout=out,
    )
    said = json.loads(out.getvalue())
    assert said["in_words"] == ["Mon-Sun 22:00-07:00 UTC: a failure would wait until 07:00"]
    assert len(said["hours"]) == 168
    assert sum(hour["waits_until"] is not None for hour in said["hours"]) == 7 * 9


def test_week_of_an_owner_who_is_reached_never_is_a_finding(site):
    make_user("olga", email="")
    make_job("nightly", owner="olga")
    with pytest.raises(SystemExit) as caught:
        call_command("who_is_told", "nightly", "--week", stdout=StringIO())
    assert caught.value.code == 1


people = st.lists(
    st.tuples(
        st.sampled_from(["UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York"]),
        st.integers(0, 1439),
        st.integers(0, 1439),
        st.booleans(),
        st.booleans(),
        st.sampled_from(Severity.values),
    ),
    min_size=1,
    max_size=3,
)


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(people, st.sampled_from(Severity.values))
def test_week_agrees_with_a_walk_minute_by_minute(site, team, severity):
    """The reference asks for each minute what `new_rows` asks: is it wanted, is there an address, is it quiet?"""
    begin = datetime(2026, 10, 22, 9, 17, tzinfo=UTC)  # Berlin and New York change their clocks
    AlertNotification.objects.all().delete()
    wishes = []
    for number, (zone, start, end, bypasses, has_email, least) in enumerate(team):
        name = f"one{number}"
        user = type(make_user_or(name)).objects.get(username=name)
        user.email = f"{name}@example.com" if has_email else ""
        user.save()
        night(
            user, time(start // 60, start % 60), time(end // 60, end % 60), zone,
            critical_bypasses_quiet=bypasses, email_min_severity=least,
        )  # fmt: skip
        wishes.append(preferences.of(user))
    owner = ",".join(f"one{number}" for number in range(len(team)))
    (week,) = weeks(Reach([owner]), [Wanted(owner, severity)], begin).values()
    open_to = [
        one
        for one in wishes
        if one.user.email and preferences.channels_for(one, severity, ["EMAIL"])
    ]
    assert week.is_reached == bool(open_to)
    for minutes in range(0, 5 * 1440, 7):
        moment = begin + timedelta(minutes=minutes)
        waits = bool(open_to) and all(
            preferences.quiet_until(one, severity, moment) for one in open_to
        )
        assert any(a <= moment < b for a, b in week.gaps) == waits, moment


def make_user_or(name: str):
    from django.contrib.auth import get_user_model

    return get_user_model().objects.filter(username=name).first() or make_user(name)
