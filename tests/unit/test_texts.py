from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app import masking
from scheduler_app.masking import mask
from scheduler_app.texts import clean, cut_line, head_and_tail, storable


@given(st.text(), st.integers(60, 500))
def test_what_is_stored_fits_and_is_valid(text, limit):
    stored = storable(text + "\x00\ud800", limit)
    assert "\x00" not in stored
    assert len(head_and_tail(stored, limit).encode()) <= limit


def test_long_text_keeps_head_and_tail():
    text = head_and_tail("begin" + "x" * 10_000 + "end", 200)
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "bytes left out" in text


def test_lone_surrogates_and_nul_become_harmless():
    assert clean("a\x00b\ud800c") == "a\ufffdb?c"


def test_line_is_cut_with_an_ellipsis():
    assert cut_line("one\n two  three", 8) == "one two…"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter22", "hunter22"),
        ('{"access_token": "abc.def-123"}', "abc.def-123"),
        ("postgres://vigil:s3cretpw@db/vigil", "s3cretpw"),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx", "693a91f6-7xxx"),
        ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9"),
        ("AccessKeySecret=LTAI5tQz", "LTAI5tQz"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, secret):
    assert secret not in mask(text)
    assert masking.MASK in mask(text)


@pytest.mark.parametrize(
    "piece", ["x", "x.", "a-", "token", "token: ", "secret ", "a://", "a://b:", "bearer ", "?key="]
)
def test_text_of_a_stranger_is_masked_in_no_time(piece):
    text = piece * (65_536 // len(piece))
    began_s = time.monotonic()
    mask(text)
    assert time.monotonic() - began_s < 2


def test_known_secret_is_masked_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(masking, "_secrets", set())
    masking.add_secret("correct-horse")
    assert mask("it was correct-horse all along") == "it was *** all along"


def test_plain_text_is_left_alone():
    text = "Disk 91 % full: 12 of 300 files in /var/log, key figures below"
    assert mask(text) == text


@pytest.mark.parametrize("word", ["x", "a.", "a-", "长", "'a", "token", "?key=", "a://"])
def test_long_text_of_one_word_is_masked_in_no_time(word):
    begin_s = time.process_time()
    mask(word * (131_072 // len(word)))
    assert time.process_time() - begin_s < 10  # were it quadratic, a minute
