from __future__ import annotations

from datetime import time, timedelta

import pytest

from notifications_app.errors import NotificationError
from notifications_app.models import (
    AlertNotification,
    ChannelState,
    DeliveryAttempt,
    LaneState,
    NotificationSettings,
)
from notifications_app.pages.preferences_form import CHANNELS as CHANNEL_FIELDS
from notifications_app.test_messages import send_test
from scheduler_app.clock import db_now
from tests.integration.pages.conftest import fire, notify

pytestmark = pytest.mark.django_db

SETTINGS = {
    "system_enabled": "on",
    "email_enabled": "on",
    **{f"{name}_min_severity": "WARNING" for name in CHANNEL_FIELDS},
}


def test_staff_send_a_dead_message_again(as_staff, dead):
    as_staff.post(f"/notifications/{dead.pk}/requeue/")
    dead.refresh_from_db()
    assert dead.state == "PENDING"
    response = as_staff.post(f"/notifications/{dead.pk}/requeue/", follow=True)
    assert "Only a message that was given up" in response.content.decode()


def test_a_notification_shows_what_the_gateway_answered(as_olga, dead):
    DeliveryAttempt.objects.create(
        notification=dead, channel="EMAIL", number=1, started_at=db_now(), outcome="PERMANENT",
        code="550", answer="550 5.1.1 <olga@example.com>: no such user",
    )  # fmt: skip
    html = as_olga.get(f"/notifications/{dead.pk}/").content.decode()
    assert "550 5.1.1 &lt;olga@example.com&gt;: no such user" in html
    assert "Send it again" not in html


def test_a_notification_tells_its_story_and_what_is_next(as_staff, dead):
    html = as_staff.get(f"/notifications/{dead.pk}/").content.decode()
    assert "From the alert to the answer" in html
    assert "The owner “olga” has the user “olga”." in html
    assert f"manage.py notifications requeue {dead.pk}" in html


def test_a_notification_tells_its_story_in_chinese(as_olga, dead):
    html = as_olga.get(f"/notifications/{dead.pk}/", headers={"accept-language": "zh-hans"})
    text = html.content.decode()
    assert "从告警到网关回复" in text
    assert "负责人“olga”" in text


def test_notifications_are_filtered(as_staff, dead, olga, staff):
    notify(fire("other"), staff)

    def found(query):
        return len(as_staff.get(f"/notifications/?{query}").context["notifications"])

    assert (found(""), found("state=DEAD"), found("person=olg"), found("channel=SMS")) == (
        2,
        1,
        1,
        0,
    )


def test_channels_are_switched_and_held(as_staff):
    as_staff.get("/channels/")
    as_staff.post("/channels/EMAIL/switch/", {"enabled": "off"})
    as_staff.post("/channels/SMS/hold/", {"held": "on"})
    assert not ChannelState.objects.get(pk="EMAIL").enabled
    assert ChannelState.objects.get(pk="SMS").held
    html = as_staff.get("/channels/").content.decode()
    assert "Switch on" in html
    assert "Go on" in html
    assert as_staff.post("/channels/PIGEON/hold/").status_code == 404


def test_channel_that_is_paused_goes_on_by_a_button(as_staff):
    as_staff.get("/channels/")
    until = db_now() + timedelta(minutes=5)
    LaneState.objects.create(channel="EMAIL", openings=1, paused_until=until, refused_settings="x")
    assert 'id="vg-resume-EMAIL"' in as_staff.get("/channels/").content.decode()
    as_staff.post("/channels/EMAIL/hold/", {"held": "off"})
    assert LaneState.objects.get().paused_until is None
    assert 'id="vg-resume-EMAIL"' not in as_staff.get("/channels/").content.decode()


def test_anybody_sends_a_test_to_themselves(as_olga, olga):
    as_olga.post("/channels/EMAIL/test/", {"next": "/settings/"})
    row = AlertNotification.objects.get()
    assert (row.kind, row.recipient, row.channel) == ("TEST", olga, "EMAIL")


def test_the_inbox_marks_one_or_all_as_read(as_olga, olga, staff):
    first, second = notify(fire("one"), olga), notify(fire("two"), olga)
    foreign = notify(fire("three"), staff)
    as_olga.post("/inbox/read/", {"id": first.pk})
    assert set(AlertNotification.objects.filter(read_at=None)) == {second, foreign}
    as_olga.post("/inbox/read/")
    assert list(AlertNotification.objects.filter(read_at=None)) == [foreign]
    assert "Everything is read." in as_olga.get("/inbox/?show=unread").content.decode()


def test_settings_are_saved_with_all_their_fields(as_olga, olga):
    values = {
        **SETTINGS, "email": "o@example.org", "wechat_userid": "olga", "mobile": "+86 138 0000 0000",
        "quiet_start": "22:30", "quiet_end": "07:00", "timezone": "Asia/Shanghai",
        "language": "zh-hans", "critical_bypasses_quiet": "on",
    }  # fmt: skip
    assert as_olga.post("/settings/", values).status_code == 302
    saved = NotificationSettings.objects.get(user=olga)
    assert (saved.quiet_start, saved.quiet_end) == (time(22, 30), time(7))
    assert (saved.email_pending, saved.mobile) == ("o@example.org", "+86 138 0000 0000")
    assert (saved.timezone, saved.language) == ("Asia/Shanghai", "zh-hans")
    assert saved.critical_bypasses_quiet
    assert (saved.wechat_enabled, saved.sms_min_severity) == (False, "WARNING")
    assert 'value="22:30"' in as_olga.get("/settings/").content.decode()


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("timezone", "Mars/Olympus", "There is no such time zone"),
        ("email", "nobody", "Enter a valid email address"),
        ("mobile", "call me", "A telephone number"),
        ("wechat_userid", "@all", "account in WeChat Work"),
        ("quiet_start", "25:00", "Enter a valid time"),
        ("timezone", "../../etc/passwd", "There is no such time zone"),
        ("quiet_start", "22:00", "Quiet hours need both a beginning and an end"),
        ("language", "tlh", "Select a valid choice"),
    ],
)
def test_a_wrong_value_is_told_at_its_field_and_nothing_is_saved(as_olga, field, value, complaint):
    response = as_olga.post("/settings/", {**SETTINGS, field: value})
    assert complaint in response.content.decode()
    assert not NotificationSettings.objects.exists()


SECRET_URLS = {
    "webhook_url": (
        "https://me:pw@hooks.example.com:8443/hook-secret-1",
        "https://hooks.example.com:8443/…",
    ),
    "apprise_url": (
        "json://me:pw@apprise.example.com/hook-secret-1",
        "json://apprise.example.com/…",
    ),
}


def post_settings(client, **changes):
    return client.post("/settings/", {**SETTINGS, **changes})


@pytest.mark.parametrize("field", SECRET_URLS)
def test_url_that_is_a_secret_is_saved_and_shown_without_it(as_olga, olga, field):
    url, seen = SECRET_URLS[field]
    assert post_settings(as_olga, **{field: url}).status_code == 302
    assert getattr(NotificationSettings.objects.get(user=olga), field) == url
    html = as_olga.get("/settings/").content.decode()
    assert f'value="{seen}"' in html
    assert "hook-secret-1" not in html


@pytest.mark.parametrize("field", SECRET_URLS)
def test_url_that_is_sent_back_as_it_was_shown_stays(as_olga, olga, field):
    url, seen = SECRET_URLS[field]
    NotificationSettings.objects.create(user=olga, **{field: url})
    assert post_settings(as_olga, **{field: seen}).status_code == 302
    assert getattr(NotificationSettings.objects.get(user=olga), field) == url
    post_settings(as_olga, **{field: ""})
    assert getattr(NotificationSettings.objects.get(user=olga), field) == ""


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("webhook_url", "ftp://x.example.com/", "begins with https:// or http://"),
        ("webhook_url", "hooks.example.com", "begins with https:// or http://"),
        ("apprise_url", "pigeon://x", "not a URL of a service"),
        ("apprise_url", "syslog://", "belongs to the machine"),
        ("apprise_url", "json://x.y/?template=/etc/passwd", "names a file of the server"),
    ],
)
def test_url_that_cannot_be_used_is_told_and_not_saved(as_olga, field, value, complaint):
    assert complaint in post_settings(as_olga, **{field: value}).content.decode()
    assert not NotificationSettings.objects.exists()


def test_person_reads_the_secret_of_their_own_webhook_and_of_no_other(
    client, olga, staff, settings
):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    settings.VIGIL_NOTIFICATIONS = {"WEBHOOK": {"ENABLED": True, "SECRET": secret}}
    client.force_login(olga)
    assert "whsec_" not in client.get("/settings/").content.decode()
    NotificationSettings.objects.create(user=olga, webhook_url=SECRET_URLS["webhook_url"][0])
    mine = client.get("/settings/").content.decode()
    assert secret not in mine
    assert mine.count("<code>whsec_") == 1
    client.force_login(staff)
    assert "whsec_" not in client.get("/settings/").content.decode()


def test_settings_tell_which_channels_the_site_does_not_have(as_olga):
    html = as_olga.get("/settings/").content.decode()
    assert html.count("not set up on this site") == 6


def test_quiet_hours_of_no_length_are_refused(as_olga):
    response = as_olga.post(
        "/settings/", {**SETTINGS, "quiet_start": "22:00", "quiet_end": "22:00"}
    )
    assert "Begin and end are the same." in response.content.decode()
    assert not NotificationSettings.objects.exists()


def test_a_page_with_a_wrong_zone_still_names_the_one_that_holds(as_olga):
    response = as_olga.post("/settings/", {**SETTINGS, "timezone": "Mars/Olympus"})
    assert "All times of this page are in UTC" in response.content.decode()


def test_a_test_message_by_no_channel_is_refused(olga):
    with pytest.raises(NotificationError, match="There is no channel 'PIGEON'"):
        send_test("PIGEON", olga)
    assert not AlertNotification.objects.exists()
