from __future__ import annotations

import importlib.util
import re

import polib
import pytest
from django.utils import translation

from scheduler_app import cron_words
from scheduler_app.states import RunState
from tests.environment import ROOT

spec = importlib.util.spec_from_file_location("make_messages", ROOT / "scripts/make_messages.py")
assert spec
assert spec.loader
make_messages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_messages)

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[\d.]*[sdfr]|\{\w*\}")
CATALOGUES = {
    home: polib.pofile(str(make_messages.catalogue_of(home))) for home in make_messages.SOURCES
}
every_catalogue = pytest.mark.parametrize("home", CATALOGUES)


def said(entry):
    return entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr


@every_catalogue
def test_every_text_of_the_sources_is_in_the_catalogue_and_no_other(home):
    """After a change: scripts/make_messages.py, then fill in what it names."""
    known = {(one.msgid, one.msgid_plural, one.msgctxt) for one in CATALOGUES[home]}
    assert known == set(make_messages.messages_of(home))


@every_catalogue
def test_every_text_has_a_translation_that_is_certain(home):
    assert [one.msgid for one in CATALOGUES[home] if not said(one).strip()] == []
    assert [one.msgid for one in CATALOGUES[home] if one.fuzzy or one.obsolete] == []


@every_catalogue
def test_every_translation_has_the_placeholders_of_its_text(home):
    for one in CATALOGUES[home]:
        wanted = PLACEHOLDER.findall(one.msgid_plural or one.msgid)
        assert sorted(PLACEHOLDER.findall(said(one))) == sorted(wanted), one.msgid


def test_catalogues_say_the_same_where_they_share_a_text():
    """Django puts them into one; which of two translations won would depend on the order of the apps."""
    together: dict[str, set[str]] = {}
    for catalogue in CATALOGUES.values():
        for one in catalogue:
            together.setdefault(f"{one.msgctxt}|{one.msgid}", set()).add(said(one))
    assert {text: words for text, words in together.items() if len(words) > 1} == {}


def test_what_the_script_writes_is_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(make_messages, "catalogue_of", lambda home: tmp_path / "django.po")
    first = make_messages.update("alerts_app")
    assert len(first.untranslated_entries()) == len(first) == len(CATALOGUES["alerts_app"])
    first.find("Alerts").msgstr = "告警"
    first.save()
    assert make_messages.update("alerts_app").find("Alerts").msgstr == "告警"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("_('a'); f\"# {gettext('b')}\"", [("_", ["a"]), ("gettext", ["b"])]),
        ('ngettext("one", "%(n)d", 3)', [("ngettext", ["one", "%(n)d"])]),
        ('pgettext("menu", "open"); other("no")', [("pgettext", ["menu", "open"])]),
    ],
)
def test_calls_are_found_in_python(source, found):
    assert list(make_messages._python_calls(source)) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{% translate "it\'s" as x %} _(no)', [("gettext", ["it's"])]),
        ('{% include "x.html" with text=_("Jobs") %}', [("_", ["Jobs"])]),
        ('{% translate "open" context "menu" %}', [("pgettext", ["menu", "open"])]),
        (
            "{% blocktranslate count n=k %}one{% plural %}{{ n }} of 9 %{% endblocktranslate %}",
            [("ngettext", ["one", "%(n)s of 9 %%"])],
        ),
    ],
)
def test_texts_are_found_in_templates(source, found):
    assert list(make_messages._template_calls(source, "")) == found


def test_what_is_no_literal_cannot_be_translated():
    with pytest.raises(ValueError, match="malformed"):
        list(make_messages._python_calls("_(name)"))


def test_tests_and_site_speak_chinese():
    with translation.override("zh-hans"):
        assert str(RunState.LOST.label) == "已丢失"
        assert translation.gettext("Overview") == "概览"
    assert cron_words.describe("every 15 s", "zh-hans") == "每 15 秒"
