"""A schedule in words, in the reader's language (cron-descriptor inside)."""

from __future__ import annotations

from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

LOCALES = {"zh-hans": "zh_CN"}
"""cron-descriptor's names of the languages that it knows under another one than Django."""

WEEKDAYS = {
    "Monday": "星期一",
    "Tuesday": "星期二",
    "Wednesday": "星期三",
    "Thursday": "星期四",
    "Friday": "星期五",
    "Saturday": "星期六",
    "Sunday": "星期日",
}
"""cron-descriptor leaves them in English."""


def describe(cron: str, language: str) -> str:
    """`cron` (canonical, see timetable.py) in words; the expression itself where nobody has words for it."""
    return _describe(cron, language.lower())


@lru_cache(maxsize=4096)
def _describe(cron: str, language: str) -> str:
    with override(language):
        if cron.startswith("every "):
            return _interval(cron)
        if cron.startswith("at "):
            return _("once, at %(time)s") % {"time": cron.removeprefix("at ").replace("T", " ")}
    return _cron(cron, LOCALES.get(language, "en_US"))


def _interval(cron: str) -> str:
    __, count, unit = cron.split()
    number = int(count)
    texts = {
        "s": ngettext("every second", "every %(n)s seconds", number),
        "min": ngettext("every minute", "every %(n)s minutes", number),
        "h": ngettext("every hour", "every %(n)s hours", number),
        "d": ngettext("every day", "every %(n)s days", number),
    }
    return texts[unit] % {"n": number}


def _cron(cron: str, locale: str) -> str:
    try:
        words = _library_words(cron, locale)
    except Exception:  # noqa: BLE001 - no words for this one, or no version of the library that can be used
        return cron
    if locale != "zh_CN":
        return words[:1].lower() + words[1:]
    for english, chinese in WEEKDAYS.items():
        words = words.replace(english, chinese)
    return words.replace(", ", "，").strip()


def _library_words(cron: str, locale: str) -> str:
    """Works with cron-descriptor 1.4 (which django-celery-beat requires) and 2, whose errors have other names."""
    from cron_descriptor import Options, get_description

    options = Options()
    options.locale_code = locale
    options.use_24hour_time_format = True
    return str(get_description(cron, options))
