from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app.channels import registry
from notifications_app.channels.email import options
from notifications_app.channels.email.sender import Sender, SenderError, parse


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("bot@example.com", "", "bot@example.com"),
        ("  bot@example.com ", "", "bot@example.com"),
        ("<bot@example.com>", "", "bot@example.com"),
        ("Project Bot <bot@example.com> ", "Project Bot", "bot@example.com"),
        ('"Project, Inc." <x@y.z>', "Project, Inc.", "x@y.z"),
        ('"Alert@Ops" <bot@example.com>', "Alert@Ops", "bot@example.com"),
        ("项目 机器人 <bot@example.com>", "项目 机器人", "bot@example.com"),
        ("项目，公司 <bot@example.com>", "项目，公司", "bot@example.com"),
        ("“项目” <bot@example.com>", "项目", "bot@example.com"),
        ("Dr. Bot <x@y.z>", "Dr. Bot", "x@y.z"),
        ("O'Neil <x@y.z>", "O'Neil", "x@y.z"),
        ("Bot (Ops) <x@y.z>", "Bot", "x@y.z"),
        ("bot@münchen.de", "", "bot@münchen.de"),
    ],
)
def test_sender_is_read(text, name, address):
    assert parse(text) == Sender(name, address)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("Alert@Ops <bot@example.com>", '"Alert@Ops" <bot@example.com>'),
        ("a@b.com, c@d.com", "a@b.com"),
        ("a@b.com；c@d.com", "a@b.com"),
        ("Project, Inc. <x@y.z>", '"Project, Inc." <x@y.z>'),
        ("Ops; Team <x@y.z>", '"Ops; Team" <x@y.z>'),
        ("Bot [prod] <x@y.z>", '"Bot [prod]" <x@y.z>'),
        ("Bot: x@y.z;", '"Bot" <x@y.z>'),
        ('"Bot <x@y.z>', '"Bot" <x@y.z>'),
        ("Bot <x@y.z", '"Bot" <x@y.z>'),
        ("Bot x@y.z", '"Bot" <x@y.z>'),
        ("Bot <x@y.z> extra", '"Bot" <x@y.z>'),
        ("机器人＜x@y.z＞", '"机器人" <x@y.z>'),
        ("Bot", ""),
        ("", ""),
        ("@", ""),
        ("x@", ""),
        ("a\nb@c.d", ""),
    ],
)
def test_what_is_no_sender_is_refused_with_the_right_spelling(text, instead):
    with pytest.raises(SenderError) as caught:
        parse(text)
    assert caught.value.instead == instead
    if instead:
        parse(instead)


@given(st.text())
def test_no_text_breaks_it(text):
    try:
        found = parse(text)
    except SenderError:
        return
    assert "@" in found.address
    assert "," not in found.address


def test_channel_shows_the_right_spelling_and_sends_from_no_wrong_address():
    said = {"ENABLED": True, "SMTP_SERVER": "h", "FROM": "Alert@Ops <bot@example.com>"}
    problem = registry.create("EMAIL", said).problem()
    assert problem.startswith("EMAIL_FROM is not an address")
    assert 'Did you mean "Alert@Ops" <bot@example.com>?' in problem
    assert options.parse(said).sender == ""
    right = options.parse({**said, "FROM": '"Alert@Ops" <bot@example.com>'})
    assert (right.sender_name, right.sender) == ("Alert@Ops", "bot@example.com")
