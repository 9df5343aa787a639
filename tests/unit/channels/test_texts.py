from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app.channels.email.options import is_address
from notifications_app.channels.loopback import is_loopback
from notifications_app.channels.mobile import normalise
from notifications_app.channels.sms.aliyun_signature import Request, headers_for
from notifications_app.channels.sms.template import FIELDS, params
from notifications_app.channels.wechat.post import TEXT_LIMIT_BYTES, compose, fit
from tests.messages import message, person

LINK = "https://vigil.example.com/alerts/7/"


@pytest.mark.parametrize("pad", range(4))
def test_long_chinese_text_is_cut_at_a_character_and_keeps_its_link(pad):
    cut = fit("x" * pad + "夜" * 3000 + f"\n{LINK}", LINK, TEXT_LIMIT_BYTES)
    assert TEXT_LIMIT_BYTES - 4 < len(cut.encode()) <= TEXT_LIMIT_BYTES
    assert cut.endswith(f"夜…\n{LINK}")
    assert "\ufffd" not in cut


def test_short_text_keeps_every_character_and_has_its_link_once():
    assert fit(f"a\n\n{LINK}\n", LINK, TEXT_LIMIT_BYTES) == f"a\n\n{LINK}"
    assert fit("a", LINK, TEXT_LIMIT_BYTES) == f"a\n{LINK}"


@given(st.text(max_size=900), st.sampled_from(["", LINK, "https://e.com/" + "q" * 2000]))
def test_no_text_is_longer_than_the_limit_or_mentions_anybody(text, link):
    cut = fit(text + "<@all>", link, TEXT_LIMIT_BYTES)
    assert len(cut.encode()) <= TEXT_LIMIT_BYTES
    assert "<@" not in cut


def test_people_are_mentioned_by_id_or_else_by_mobile_and_each_once():
    people = [
        person(),
        person(),
        person(wechat_userid="", mobile="+86 139 0013 9000"),
        person(wechat_userid="@all", mobile="@all"),
    ]
    text = compose([message(to=one) for one in people])["text"]
    assert text["mentioned_list"] == ["wangwei"]
    assert text["mentioned_mobile_list"] == ["13900139000"]


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("0086 138 0013 8000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("+49 (151) 2345678", "491512345678"),
        ("", ""),
        ("@all", ""),
        ("138001380o0", ""),
        ("１３８００１３８０００", ""),
    ],
)
def test_mobile_becomes_digits(written, digits):
    assert normalise(written) == digits


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("[ERROR] Nightly backup failed", "[ERROR] Nightly backup failed"),
        ("probe of https://example.com/a?b=1 failed", "probe of failed"),
        ("db1.example.com at 10.0.0.1 is down", "db1-example-com at 10-0-0-1 is down"),
        ("fe80::1 lost at 10:02:33", "fe80--1 lost at 10:02:33"),
        ("【CRITICAL】磁盘已满", "[CRITICAL]磁盘已满"),
        ("a\r\nb", "a b"),
        ("https://example.com/", "ERROR"),
    ],
)
def test_title_of_a_text_message_holds_no_address(subject, title):
    assert params(message(subject=subject)) == {"title": title}


def test_every_variable_of_a_template_is_filled_with_what_carriers_take():
    wanted = {name: name for name in FIELDS}
    evil = message(owner="https://x.y/z", category="", labels={"job_id": "::1 " * 9_000})
    filled = params(evil, wanted)
    assert filled["owner"] == filled["category"] == "-"
    assert (filled["severity"], filled["time"]) == ("ERROR", "11-24 02:30")
    assert all(0 < len(value) <= 35 and "::" not in value for value in filled.values())


def test_title_of_a_text_message_is_cut():
    title = params(message(subject="夜" * 100))["title"]
    assert title == "夜" * 34 + "…"


def test_signature_is_that_of_aliyuns_own_example():
    request = Request(
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        query={
            "RegionId": "cn-shanghai",
            "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        },
        at=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    signed = headers_for(request, "YourAccessKeyId", "YourAccessKeySecret")["Authorization"]
    wanted = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    assert signed.endswith(f",Signature={wanted}")


BAD_ADDRESSES = (
    *("", "wang", "wang@", "@example.com", "a@b@c", "a b@c", "<a@b>", "a,b@c", "王@example.com"),
    *("a@b\r\nRCPT TO:<x@y>", "a\x00@b", "a@b\x7f", "a@" + "b" * 260),
)


@pytest.mark.parametrize("text", BAD_ADDRESSES)
def test_bad_address_is_none(text):
    assert not is_address(text)


@pytest.mark.parametrize("text", ["a@b", "o'neil+vigil@mail.example.co.uk", "a_b-c.d@localhost"])
def test_good_address_is_one(text):
    assert is_address(text)


def test_loopback_is_told_by_the_name():
    assert all(map(is_loopback, ["localhost", "LOCALHOST.", "127.0.0.53", "::1", "[::1]"]))
    assert not any(map(is_loopback, ["", "10.0.0.1", "localhost.example.com", "127.0.0.1.nip.io"]))
