"""What WeChat Work is given: nothing in an alert's text mentions, links or formats, and nothing is too long."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications_app.channels.wechat import plain, post
from notifications_app.channels.wechat.robots import Format
from tests.messages import message, person

MARKDOWN_ATTACKS = (
    *("<@all>", "<@wangwei>", "<@<@all>all>", "&lt;@all&gt;", "&#60;@all>", "<\u200b@all>"),
    *("[click](http://evil.example)", "![x](http://evil.example/x.png)", "[a][b]\n[b]: http://x.y"),
    *("# heading", "a\n# heading", "a\r# heading", "a\u2028# heading", "a\x85## b", "  ### x"),
    *("> quote", "a\n>quote", "`code`", "```\nfence\n```", "**bold**", "*it*"),
    *('<font color="info">calm</font>', "<a href='http://x.y'>x</a>", "a\x00<@all>"),
)
SIGNS = re.compile(r"<|`|\*|\[|\]|&#?\w+;")


def content_of(*messages, format=Format.MARKDOWN):
    made = post.compose(messages, format)
    return made["markdown"]["content"]


def stranger(text: str, **changes):
    """A message all of whose text is `text`."""
    words = dict.fromkeys(("subject", "text", "title", "body", "label", "category", "owner"), text)
    return message(**{**words, "facts": [(text, text)], **changes})


@pytest.mark.parametrize("attack", MARKDOWN_ATTACKS)
def test_nothing_in_an_alert_is_markdown(attack):
    lines = content_of(stranger(attack)).splitlines()
    assert lines.pop() == "<@wangwei>"
    assert lines.pop() == "[Details](https://vigil.example.com/alerts/7/)"
    head = re.fullmatch(r'<font color="warning">\*\*\[(.*)\] (.*)\*\*</font>', lines.pop(0))
    assert head is not None
    ours = [*head.groups(), *(line.removeprefix("> ") for line in lines)]
    assert [line for line in ours if SIGNS.search(line) or re.match(r"\s*[#>]", line)] == []


@pytest.mark.parametrize("attack", MARKDOWN_ATTACKS)
def test_nothing_in_an_alert_makes_a_line_of_its_own_in_a_card(attack):
    card = post.compose([stranger(attack)], Format.CARD)["template_card"]
    texts = [
        card["source"]["desc"], card["main_title"]["title"], card["sub_title_text"],
        *(value for fact in card["horizontal_content_list"] for value in fact.values()),
    ]  # fmt: skip
    assert all(len(text.splitlines()) == 1 and "<@" not in text for text in texts)
    assert card["card_action"] == {"type": 1, "url": "https://vigil.example.com/alerts/7/"}


@pytest.mark.parametrize(
    ("link", "safe"),
    [
        ("https://x.y/a)b](http://evil", "https://x.y/a%29b%5D%28http://evil"),
        ("https://x.y/a b\n<@all>", "https://x.y/a%20b%0A%3C@all%3E"),
        ("https://x.y/夜?q=1&r=%20#f", "https://x.y/%E5%A4%9C?q=1&r=%20#f"),
        ("javascript:alert(1)", ""),
        ("//evil.example/x", ""),
        ("https://", ""),
        ("https://[half", ""),
        ("", ""),
    ],
)
def test_link_of_an_alert_can_be_nothing_but_a_link(link, safe):
    assert plain.link(link) == safe


def test_markdown_mentions_everybody_once_by_id():
    people = [person(), person(), person(wechat_userid="li.lei@x")]
    assert content_of(*(message(to=one) for one in people)).endswith("\n<@wangwei><@li.lei@x>")


@pytest.mark.parametrize("userid", ["", "@all", "a><@all", "张三", "a b", "x" * 65])
def test_somebody_without_an_id_makes_a_text_of_a_markdown(userid):
    people = [person(), person(wechat_userid=userid, mobile="13900139000")]
    made = post.compose([message(to=one) for one in people], Format.MARKDOWN)
    assert made["msgtype"] == "text"
    assert made["text"]["mentioned_list"] == ["wangwei"]
    assert made["text"]["mentioned_mobile_list"] == ["13900139000"]


def test_more_people_than_a_markdown_can_mention_make_it_a_text():
    people = [person(wechat_userid=f"user-{n:050}") for n in range(40)]
    made = post.compose([message(to=one) for one in people], Format.MARKDOWN)
    assert len(made["text"]["mentioned_list"]) == 40


def test_card_without_a_link_becomes_a_text(settings):
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": ""}
    assert post.compose([message(link="")], Format.CARD)["msgtype"] == "text"
    settings.VIGIL_NOTIFICATIONS = {"SITE_URL": "https://vigil.example.com"}
    card = post.compose([message(link="")], Format.CARD)["template_card"]
    assert card["card_action"]["url"] == "https://vigil.example.com"


def test_card_names_people_and_keeps_to_six_facts():
    facts = [(f"Fact {n}", "x" * 99) for n in range(9)]
    people = [person(), person(name="Li Lei")]
    made = post.compose(
        [message(to=one, facts=facts, title="T" * 99) for one in people], Format.CARD
    )
    listed = made["template_card"]["horizontal_content_list"]
    assert [one["keyname"] for one in listed] == [*(f"Fact {n}" for n in range(5)), "For"]
    assert listed[-1]["value"] == "Wang Wei, Li Lei"
    assert max(len(one["value"]) for one in listed) == post.CARD_VALUE
    assert len(made["template_card"]["main_title"]["title"]) == post.CARD_TITLE


def test_words_of_the_post_are_in_the_readers_language():
    reader = person(language="zh-hans")
    made = post.compose([message(to=reader)], Format.MARKDOWN)["markdown"]["content"]
    assert "disk full" not in made  # the factory's message has no body
    assert made.startswith("<font")


@given(
    text=st.text(alphabet="a夜🌙é\n<@ #", max_size=3000),
    tail=st.text(alphabet="b夜", max_size=40),
    limit=st.integers(min_value=200, max_value=4096),
)
def test_cut_breaks_no_character_and_keeps_to_the_bytes(text, tail, limit):
    cut = plain.fit(text, tail, limit)
    assert len(cut.encode()) <= limit
    assert "\ufffd" not in json.loads(json.dumps(cut))
    assert not tail or cut.endswith(tail)


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("format", [Format.TEXT, Format.MARKDOWN])
def test_long_text_of_wide_characters_fills_the_limit_in_every_alignment(format, shift):
    long = "a" * shift + "🌙" * 3000
    made = post.compose([stranger(long)], format)
    limit = {Format.TEXT: 2048, Format.MARKDOWN: 4096}[format]
    content = made[format.value]["content"]
    assert limit - 8 <= len(content.encode()) <= limit
    assert "https://vigil.example.com/alerts/7/" in content


def test_link_that_is_too_long_is_left_out_and_people_are_still_mentioned():
    content = content_of(message(link=f"https://x.y/{'夜' * 400}"))
    assert "https" not in content
    assert content.endswith("<@wangwei>")
