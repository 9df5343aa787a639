from __future__ import annotations

import pytest

from notifications_app.channels import registry
from notifications_app.channels.email.options import Tls, parse

EMAIL = {"ENABLED": True, "SMTP_SERVER": "smtp.example.com", "FROM": "vigil@example.com"}
WECHAT = {"ENABLED": True, "WEBHOOK_URL": "https://qyapi.weixin.qq.com/send?key=abc-key"}
SMS = {
    "ENABLED": True,
    "ACCESS_KEY_ID": "id",
    "ACCESS_KEY_SECRET": "secret",
    "SIGN_NAME": "Vigil",
    "TEMPLATE_CODE": "SMS_1",
}


@pytest.mark.parametrize(("name", "options"), [("EMAIL", EMAIL), ("WECHAT", WECHAT), ("SMS", SMS)])
def test_whole_settings_are_no_problem(name, options):
    assert registry.create(name, options).problem() == ""


@pytest.mark.parametrize("name", ["EMAIL", "WECHAT", "SMS"])
def test_channel_that_is_off_says_what_switches_it_on(name):
    wanted = f"{name} is switched off: set {name}_ENABLED=true"
    assert registry.create(name, {}).problem() == wanted


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("EMAIL", "EMAIL_SMTP_SERVER and EMAIL_FROM"),
        ("WECHAT", "WECHAT_WEBHOOK_URL"),
        (
            "SMS",
            "SMS_ACCESS_KEY_ID, SMS_ACCESS_KEY_SECRET, SMS_SIGN_NAME and SMS_TEMPLATE_CODE",
        ),
    ],
)
def test_channel_that_is_not_configured_names_the_variables(name, variables):
    wanted = f"{name} is not configured: set {variables}"
    assert registry.create(name, {"ENABLED": True, "FROM": "  "}).problem() == wanted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FROM": "Vigil"}, "EMAIL_FROM is not an address"),
        ({"FROM": "Vigil <a@b\r\nBcc: x@y>"}, "EMAIL_FROM is not an address"),
        ({"SMTP_PORT": "smtp"}, "EMAIL_SMTP_PORT is not a port"),
        ({"SMTP_PORT": 70000}, "EMAIL_SMTP_PORT is not a port"),
        ({"USE_TLS": "maybe"}, "EMAIL_USE_TLS is not understood: write auto, true, false or ssl"),
        ({"CA_FILE": "/nowhere/ca.pem"}, "EMAIL_CA_FILE names no file: /nowhere/ca.pem"),
    ],
)
def test_email_says_which_setting_is_wrong(changes, said):
    assert registry.create("EMAIL", {**EMAIL, **changes}).problem().startswith(said)


@pytest.mark.parametrize(
    "url",
    [
        "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=",
        "https://qyapi.weixin.com/cgi-bin/webhook/send?key=abc-key",
        "https://qyapi.wexin.qq.com/cgi-bin/webhook/send?key=abc-key",
        "https://oapi.dingtalk.com/robot/send?access_token=abc-key",
        "ftp://qyapi.weixin.qq.com/?key=abc-key",
        "https://[half?key=abc-key",
    ],
)
def test_wechat_shows_what_a_whole_url_looks_like_and_not_what_was_written(url):
    said = registry.create("WECHAT", {"ENABLED": True, "WEBHOOK_URL": url}).problem()
    assert said.endswith("write https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=YOUR_KEY")
    assert "693a91f6" not in said


def test_sms_endpoint_has_to_be_a_url():
    said = registry.create("SMS", {**SMS, "ENDPOINT": "dysmsapi.aliyuncs.com"}).problem()
    assert said == "SMS_ENDPOINT is not a URL: write https://dysmsapi.aliyuncs.com"


@pytest.mark.parametrize(
    ("use_tls", "port", "tls"),
    [
        ("auto", 465, Tls.SSL),
        ("auto", 587, Tls.STARTTLS),
        ("auto", 25, Tls.IF_OFFERED),
        (None, 587, Tls.STARTTLS),
        (True, 2525, Tls.STARTTLS),
        ("true", 465, Tls.SSL),
        ("False", 465, Tls.NONE),
        ("ssl", 2525, Tls.SSL),
    ],
)
def test_use_tls_is_read_with_the_port(use_tls, port, tls):
    assert parse({**EMAIL, "USE_TLS": use_tls, "SMTP_PORT": port}).tls is tls


@pytest.mark.parametrize(
    "channel", [kind.name for kind in registry.BUILT_IN if kind.leaves_the_site]
)
def test_problem_that_the_site_knows_is_the_problem_of_the_channel(channel):
    known = "EMAIL_ENABLED: 'ture' is not true or false."
    assert registry.create(channel, {"ENABLED": True, "PROBLEM": known}).problem() == known
    off = registry.create(channel, {"ENABLED": False, "PROBLEM": known}).problem()
    assert off.startswith(f"{channel} is switched off")
