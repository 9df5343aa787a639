from __future__ import annotations

import pytest
from django.contrib.admin import AdminSite

from alerts_app.intake import NewAlert, raise_alert
from notifications_app import channel_states, fan_out
from notifications_app.admin import NotificationSettingsAdmin
from notifications_app.channels import registry
from notifications_app.models import (
    AlertNotification,
    ChannelState,
    DeliveryAttempt,
    NotificationSettings,
)
from notifications_app.pages.preferences_form import CHANNELS as CHANNEL_FIELDS
from notifications_app.states import AttemptOutcome, NotificationState, Reason
from scheduler_app.clock import db_now
from tests.factories import make_user

LIST = "/admin/notifications_app/alertnotification/"
CHANNELS = "/admin/notifications_app/channelstate/"
SETTINGS = "/admin/notifications_app/notificationsettings/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def notification() -> AlertNotification:
    make_user("olga")
    occurrence = raise_alert(NewAlert(fingerprint="f", title="Disk full", owner="olga"))
    fan_out.fan_out([occurrence.pk])
    return AlertNotification.objects.get(channel="EMAIL")


def test_list_and_page_show_the_notification(admin_client, notification):
    DeliveryAttempt.objects.create(
        notification=notification,
        channel="EMAIL",
        number=1,
        started_at=db_now(),
        outcome=AttemptOutcome.TRANSIENT,
        error="451 later",
    )
    assert "Disk full" in admin_client.get(f"{LIST}?channel=EMAIL").content.decode()
    text = admin_client.get(f"{LIST}{notification.pk}/change/").content.decode()
    assert "451 later" in text


def test_requeue_takes_what_was_given_up_and_leaves_the_rest(act, said, notification):
    other = AlertNotification.objects.exclude(pk=notification.pk).first()
    dead = AlertNotification.objects.filter(pk=notification.pk)
    dead.update(state=NotificationState.DEAD, reason=Reason.REFUSED, tries=5)
    messages = said(act(LIST, "requeue", [notification.pk, other.pk]))
    notification.refresh_from_db()
    assert messages[0] == "1 notification is due again."
    assert messages[1].startswith("1 is left as it is")
    assert (notification.state, notification.tries) == (NotificationState.PENDING, 0)


def test_notifications_are_read_only(admin_client, notification):
    url = f"{LIST}{notification.pk}"
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{url}/change/", {"state": "SENT"}).status_code == 403
    assert admin_client.post(f"{url}/delete/", {"post": "yes"}).status_code == 403


def test_channels_are_listed_with_their_problem(admin_client):
    text = admin_client.get(CHANNELS).content.decode()
    for name in registry.names():
        assert name in text
    state = ChannelState.objects.get(pk="WECHAT")
    assert channel_states.problem_of(state) in text
    assert admin_client.get(f"{CHANNELS}EMAIL/change/").status_code == 200


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("switch_off", "enabled", False),
        ("switch_on", "enabled", True),
        ("hold", "held", True),
        ("release", "held", False),
    ],
)
def test_switches_of_a_channel(act, said, action, field, value):
    channel_states.ensure()
    ChannelState.objects.update(**{field: not value})
    page = act(CHANNELS, action, ["EMAIL"])
    assert said(page)[0].startswith("EMAIL is ")
    assert getattr(ChannelState.objects.get(pk="EMAIL"), field) is value
    assert getattr(ChannelState.objects.get(pk="SMS"), field) is not value


def test_what_the_job_file_says_of_a_channel_is_read_only(admin_client):
    channel_states.ensure()
    page = admin_client.post(f"{CHANNELS}EMAIL/change/", {"owner": "x", "rate_limit": "1/s"})
    assert page.status_code == 403
    assert admin_client.get(f"{CHANNELS}add/").status_code == 403


SEVERITIES = {f"{name}_min_severity": "INFO" for name in CHANNEL_FIELDS}


def test_settings_of_a_person_are_saved(admin_client):
    user = make_user("olga")
    times = {"quiet_start": "22:00", "quiet_end": "07:00", "timezone": "Asia/Shanghai"}
    page = admin_client.post(f"{SETTINGS}add/", {"user": user.pk, **SEVERITIES, **times})
    assert page.status_code == 302
    assert NotificationSettings.objects.get().timezone == "Asia/Shanghai"
    assert "olga" in admin_client.get(f"{SETTINGS}?q=olg").content.decode()


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("timezone", "Mars/Olympus", "There is no such time zone"),
        ("timezone", "../../etc/passwd", "There is no such time zone"),
        ("language", "tlh", "The site speaks en, zh-hans."),
        ("quiet_start", "22:00", "need both a beginning and an end"),
        ("quiet_end", "07:00", "need both a beginning and an end"),
        ("mobile", "call me", "A telephone number"),
        ("email_min_severity", "LOUD", "Select a valid choice"),
    ],
)
def test_wrong_setting_is_told(admin_client, field, value, problem):
    user = make_user("olga")
    page = admin_client.post(f"{SETTINGS}add/", {"user": user.pk, **SEVERITIES, field: value})
    assert problem in page.content.decode()
    assert not NotificationSettings.objects.exists()


def test_url_of_a_person_is_a_secret_for_staff_too(admin_client):
    olga = make_user("olga")
    url = "https://hooks.example.com/hook-secret-1"
    NotificationSettings.objects.create(user=olga, webhook_url=url)
    address = f"{SETTINGS}{olga.pk}/change/"
    page = admin_client.get(address).content.decode()
    assert "https://hooks.example.com/…" in page
    assert "hook-secret-1" not in page
    values = {**SEVERITIES, "webhook_url": "https://hooks.example.com/…", "webhook_enabled": "on"}
    assert admin_client.post(address, values).status_code == 302
    saved = NotificationSettings.objects.get()
    assert (saved.webhook_url, saved.webhook_enabled) == (url, True)
    admin_client.post(address, {**SEVERITIES, "webhook_url": "https://other.example.com/x"})
    assert NotificationSettings.objects.get().webhook_url == "https://other.example.com/x"


def test_quiet_hours_of_no_length_are_refused(admin_client):
    times = {"quiet_start": "22:00", "quiet_end": "22:00"}
    user = make_user("olga")
    page = admin_client.post(f"{SETTINGS}add/", {"user": user.pk, **SEVERITIES, **times})
    assert "Begin and end are the same." in page.content.decode()


def test_settings_stay_with_their_person(admin_client):
    olga, otto = make_user("olga"), make_user("otto")
    NotificationSettings.objects.create(user=olga)
    page = admin_client.post(f"{SETTINGS}{olga.pk}/change/", {"user": otto.pk, **SEVERITIES})
    assert page.status_code == 302
    assert NotificationSettings.objects.get().user == olga


def test_site_that_keeps_users_out_of_its_admin_gets_a_field_for_the_key(rf):
    elsewhere = NotificationSettingsAdmin(NotificationSettings, AdminSite())
    form = elsewhere.get_form(rf.get("/"))()
    assert elsewhere.check() == []
    assert '<input type="text" name="user"' in str(form["user"])


def test_person_is_looked_up_as_one_types(admin_client):
    assert "admin-autocomplete" in admin_client.get(f"{SETTINGS}add/").content.decode()
