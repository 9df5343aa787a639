from __future__ import annotations

import datetime

import pytest

from notifications_app.models import NotificationSettings
from tests.factories import make_user

pytestmark = pytest.mark.django_db

SETTINGS = "/api/v1/notifications/settings"


def test_defaults_are_shown_and_not_saved(plain):
    settings = plain.get(SETTINGS).json()
    switches = [settings[f"{name}_enabled"] for name in ("system", "email", "wechat", "sms")]
    assert switches == [True, True, True, False]
    assert (settings["user"], settings["quiet_start"], settings["timezone"]) == ("olga", None, "")
    assert not NotificationSettings.objects.exists()


def test_first_patch_saves_a_row(plain, olga):
    body = {"sms_enabled": True, "mobile": "+49 151 2345678"}
    answer = plain.patch(SETTINGS, body, format="json")
    assert answer.status_code == 200
    saved = NotificationSettings.objects.get(user=olga)
    assert (saved.sms_enabled, saved.email_enabled) == (True, True)
    assert plain.get(SETTINGS).json() == answer.json()


def test_patch_keeps_what_it_does_not_name(plain):
    body = {"quiet_start": "22:00", "quiet_end": "07:30", "timezone": "Asia/Shanghai"}
    plain.patch(SETTINGS, body, format="json")
    plain.patch(SETTINGS, {"email_min_severity": "ERROR"}, format="json")
    saved = NotificationSettings.objects.get()
    assert (saved.quiet_start, saved.quiet_end) == (datetime.time(22), datetime.time(7, 30))
    assert (saved.timezone, saved.email_min_severity) == ("Asia/Shanghai", "ERROR")


def test_put_replaces_everything(plain):
    plain.patch(SETTINGS, {"sms_enabled": True, "language": "zh-hans"}, format="json")
    answer = plain.put(SETTINGS, {"email": "olga@example.org"}, format="json").json()
    assert (answer["email_pending"], answer["sms_enabled"], answer["language"]) == (
        "olga@example.org", False, "",
    )  # fmt: skip


def test_what_was_read_can_be_put_back(plain):
    plain.patch(SETTINGS, {"quiet_start": "22:00", "quiet_end": "07:30"}, format="json")
    settings = plain.get(SETTINGS).json()
    answer = plain.put(SETTINGS, settings, format="json")
    assert (answer.status_code, answer.json()) == (200, settings)


URLS = {
    "webhook_url": "https://hooks.example.com/hook-secret-1",
    "apprise_url": "json://me:pass@hooks.example.com/hook-secret-1",
}
SEEN = {"webhook_url": "https://hooks.example.com/…", "apprise_url": "json://hooks.example.com/…"}


def test_urls_that_are_secrets_are_written_and_not_read(plain):
    for method in (plain.patch, plain.put):
        answer = method(SETTINGS, URLS, format="json")
        assert {name: answer.json()[name] for name in URLS} == SEEN
    assert "hook-secret-1" not in plain.get(SETTINGS).content.decode()
    saved = NotificationSettings.objects.get()
    assert {name: getattr(saved, name) for name in URLS} == URLS


@pytest.mark.parametrize("method", ["put", "patch"])
def test_url_that_is_put_back_as_it_was_read_stays(plain, method):
    plain.patch(SETTINGS, URLS, format="json")
    getattr(plain, method)(SETTINGS, plain.get(SETTINGS).json(), format="json")
    saved = NotificationSettings.objects.get()
    assert {name: getattr(saved, name) for name in URLS} == URLS


def test_url_can_be_taken_away(plain):
    plain.patch(SETTINGS, URLS, format="json")
    plain.patch(SETTINGS, {"webhook_url": ""}, format="json")
    saved = NotificationSettings.objects.get()
    assert (saved.webhook_url, saved.apprise_url) == ("", URLS["apprise_url"])


def test_staff_read_no_secret_of_others(staff, plain):
    plain.patch(SETTINGS, URLS, format="json")
    answer = staff.get(f"{SETTINGS}?user=olga").content.decode()
    assert "hook-secret-1" not in answer


def test_put_without_a_body_sets_the_defaults(plain):
    answer = plain.generic("PUT", SETTINGS, "", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    assert answer.json()["email_enabled"] is True


def test_quiet_hours_can_be_switched_off(plain):
    plain.patch(SETTINGS, {"quiet_start": "22:00", "quiet_end": "07:30"}, format="json")
    body = {"quiet_start": None, "quiet_end": None}
    assert plain.patch(SETTINGS, body, format="json").json()["quiet_end"] is None


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Mars/Base"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "a\0b"),
        ("timezone", 5.5),
        ("quiet_start", "25:00"),
        ("quiet_start", "22"),
        ("quiet_start", ""),
        ("quiet_start", "22:00+08:00"),
        ("quiet_end", "noon"),
        ("quiet_end", 7),
        ("email", "olga"),
        ("email", "olga@example.com\nBcc: all@example.com"),
        ("email", None),
        ("email", '"a b"@example.com'),
        ("email", "olga@[127.0.0.1]"),
        ("email", "olga@münchen..de"),
        ("email", "ольга@example.com"),
        ("mobile", "call me"),
        ("mobile", "123"),
        ("wechat_userid", "@all"),
        ("wechat_userid", "x" * 65),
        ("language", "xx"),
        ("email_min_severity", "FATAL"),
        ("sms_min_severity", "error"),
        ("system_min_severity", None),
        ("email_enabled", "maybe"),
        ("sms_enabled", None),
        ("wechat_enabled", [True]),
        ("critical_bypasses_quiet", "always"),
        ("webhook_url", "ftp://x.example.com/"),
        ("webhook_url", "https://x y/"),
        ("webhook_url", "https://x.example.com/" + "y" * 500),
        ("apprise_url", "pigeon://x"),
        ("apprise_url", "windows://"),
        ("apprise_url", 5),
        ("wechat_app_enabled", "perhaps"),
        ("colour", "red"),
        ("user_id", 1),
    ],
)
def test_bad_value_is_400_with_its_field(plain, method, field, value):
    answer = getattr(plain, method)(SETTINGS, {field: value}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not NotificationSettings.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"quiet_start": "22:00"}, "quiet_end"),
        ({"quiet_end": "07:00"}, "quiet_start"),
        ({"quiet_start": "22:00", "quiet_end": None}, "quiet_end"),
        ({"quiet_start": "22:00", "quiet_end": "22:00"}, "quiet_end"),
    ],
)
def test_quiet_hours_need_both_ends(plain, body, field):
    answer = plain.patch(SETTINGS, body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_half_of_saved_quiet_hours_cannot_be_taken_away(plain):
    plain.patch(SETTINGS, {"quiet_start": "22:00", "quiet_end": "07:30"}, format="json")
    answer = plain.patch(SETTINGS, {"quiet_end": None}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["quiet_end"])


def test_every_fault_is_named_at_once(plain):
    body = {"timezone": 7.5, "mobile": "x", "email": "x", "quiet_start": "x", "colour": "red"}
    answer = plain.patch(SETTINGS, body, format="json").json()
    assert set(answer) >= {"mobile", "email", "quiet_start", "colour"}


@pytest.mark.parametrize("by", ["username", "pk"])
def test_staff_change_those_of_others(staff, olga, by):
    address = f"{SETTINGS}?user={getattr(olga, by)}"
    answer = staff.patch(address, {"sms_enabled": True}, format="json").json()
    assert (answer["user"], answer["sms_enabled"]) == ("olga", True)
    assert NotificationSettings.objects.get().user == olga


def test_one_may_name_oneself(plain, olga):
    assert plain.get(f"{SETTINGS}?user=olga").status_code == 200
    assert plain.get(f"{SETTINGS}?user={olga.pk}").status_code == 200


def test_nobody_may_name_others(plain):
    make_user("otto")
    answer = plain.patch(f"{SETTINGS}?user=otto", {"sms_enabled": True}, format="json")
    assert (answer.status_code, list(answer.json())) == (403, ["detail"])
    assert not NotificationSettings.objects.exists()


@pytest.mark.parametrize("name", ["nobody", "0", "-1", "9" * 40, "²"])
def test_unknown_person_is_404(staff, name):
    assert staff.get(f"{SETTINGS}?user={name}").status_code == 404


def test_name_goes_before_id(staff, olga):
    named = make_user(str(olga.pk))
    assert staff.get(f"{SETTINGS}?user={olga.pk}").json()["user"] == named.username


@pytest.mark.parametrize("query", ["user=%00", "user=", "who=olga"])
def test_bad_query_is_400(staff, query):
    answer = staff.get(f"{SETTINGS}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [query.partition("=")[0]])


@pytest.mark.parametrize("address", ["user@münchen.de", "user@例子.中国", "user@xn--mnchen-3ya.de"])
def test_domain_of_an_address_may_be_in_any_script(plain, address):
    answer = plain.patch(SETTINGS, {"email": address}, format="json")
    assert (answer.status_code, answer.json()["email_pending"]) == (200, address)
