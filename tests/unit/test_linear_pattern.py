from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_app.linear_pattern import LONGEST_TEXT, PatternError, compiled

atoms = st.sampled_from(
    ["a", "b", "ab", ".", r"\d", r"\w", r"\s", r"\W", "[ab]", "[^a]", "[a-c1-3]", "^", "$", r"\b", r"\B", r"\A", r"\Z",
     "é", r"\.", "[^\\d]", ""]
)  # fmt: skip
repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?"])
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map("({})".format),
        st.tuples(inner.map("(?:{})".format), repeats).map("".join),
        st.tuples(inner.map("({})".format), repeats).map("".join),
    ),
    max_leaves=6,
)


@given(patterns, st.text("ab1c .é\n_", max_size=8))
def test_search_finds_what_re_finds(pattern, text):
    try:
        found = compiled(pattern).search(text)
    except PatternError:
        return
    if not text and r"\B" in pattern:  # re finds it there from Python 3.14 on
        return
    assert found == (re.search(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * LONGEST_TEXT + "!"),
        ("^(a|a)*$", "a" * LONGEST_TEXT + "!"),
        ("(a*)*b", "a" * LONGEST_TEXT),
        (r"^(\w+\s?)*$", "a" * LONGEST_TEXT + "!"),
        ("a*a*a*a*a*a*a*b", "a" * LONGEST_TEXT),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * LONGEST_TEXT),
        ("(?:a?){60}a{60}!", "a" * LONGEST_TEXT),
    ],
)
def test_time_is_bounded(pattern, text):
    begin = time.process_time()
    assert not compiled(pattern).search(text)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", "(?=a)", "(?<!a)b", "(?i)a", "(?s:.)", "(", "a{1000}", "((a{30}){30}){30}", "a" * 501, "(?>a)",
     "a++", "(a)?(?(1)b)", "(" * 400 + ")" * 400],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused(pattern):
    with pytest.raises(PatternError):
        compiled(pattern)
