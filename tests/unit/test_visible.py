from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.visible import visible, visible_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\u001b]52;c;ZXZpbA==\\u0007"),
        ("\x9b2J\x7f\x00", "\\u009b2J\\u007f\\u0000"),
        ("user\u202etxt.exe\u2066", "user\\u202etxt.exe\\u2066"),
        ("pass\u200bword\ufeff", "pass\\u200bword\\ufeff"),
        ("half \ud83d", "half \\ud83d"),
        ("a\u2028b\x85c", "a\\u2028b\\u0085c"),
        ("tag \U000e0041", "tag \\udb40\\udc41"),
        ("over\rwritten", "over\\rwritten"),
        ("dos\r\nline\tand\n", "dos\nline\tand\n"),
        ("a\u200db", "a\\u200db"),
    ],
)
def test_what_controls_or_hides_is_shown(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "导入订单失败：密码错误",
        "Ünïcode é ñ ß",
        "👩‍💻 👨‍👩‍👧 ❤️‍🔥 🏳️‍🌈",
        "سلام עולם हिन्दी",
        "a\tb\nc",
        "“…” – ½ €",
    ],
)
def test_words_of_every_language_stay(text):
    assert visible(text) == text


def test_one_line_shows_ends_of_lines_too():
    assert visible_line("a\nb\r\nc\td") == "a\\nb\\r\\nc\\td"


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b\u202e\u200b\U000e0041\ud800")))
def test_json_stays_what_it_was(text):
    raw = json.dumps({"a": text}, ensure_ascii=False)
    if "\r" not in raw:
        assert json.loads(visible(raw)) == json.loads(raw)
    assert visible(visible(text)) == visible(text)
    assert len(visible_line(text).splitlines()) < 2
