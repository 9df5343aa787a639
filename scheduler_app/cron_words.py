"""A schedule in words, in the reader's language (cron-descriptor inside)."""

from __future__ import annotations

import re
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from scheduler_app.cron_fields import FIELDS, HOUR, MINUTE, MONTH, WEEKDAY, CronField

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
"""cron-descriptor leaves them in English, and the months."""
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
CHINESE = {**WEEKDAYS, **{name: f"{number} 月" for number, name in enumerate(MONTHS, start=1)}}

ANY, STEP, ONE, LIST, RANGE, LAST, ODD = ["any", "step", "one", "list", "range", "last", "odd"]
TRUE_TIMES = {
    ANY: {ANY, ONE, RANGE},
    STEP: {ANY, ONE, RANGE},
    ONE: {ANY, STEP, ONE, LIST, RANGE},
    LIST: {ANY, STEP, RANGE},
    RANGE: {ANY, ONE, RANGE},
}
"""By the form of the minute: the forms of the hour with which cron-descriptor's words mean the slots."""


def describe(cron: str, language: str) -> str:
    """`cron` (canonical, see timetable.py) in words; itself where no words mean the same slots."""
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
    plain = " ".join("*" if part == "*/1" else part for part in cron.split())
    if not has_true_words(plain):
        return cron
    try:
        words = _library_words(plain, locale)
    except Exception:  # noqa: BLE001 - no words for this one, or no version of the library that can be used
        return cron
    if locale != "zh_CN":
        return words[:1].lower() + words[1:]
    for english, chinese in CHINESE.items():
        words = words.replace(english, chinese)
    return words.replace(", ", "，").strip()


def _library_words(cron: str, locale: str) -> str:
    """Works with cron-descriptor 1.4 (which django-celery-beat requires) and 2, whose errors have other names."""
    from cron_descriptor import Options, get_description

    options = Options()
    options.locale_code = locale
    options.use_24hour_time_format = True
    return str(get_description(cron, options))


def has_true_words(cron: str) -> bool:
    """Whether cron-descriptor's words for `cron` mean the slots that it has.

    They do not where a step begins anew in each hour, day or month before it is through, where both day fields are
    restricted (either may match, or both must), and for lists of ranges.
    """
    parts = cron.split()
    if len(parts) != len(FIELDS):
        return False
    minute, hour, day, month, weekday = (
        _form(field, part) for field, part in zip(FIELDS, parts, strict=True)
    )
    if hour not in TRUE_TIMES.get(minute, ()) or (hour == RANGE and parts[0].strip("0") == ""):
        return False
    if month not in {ANY, STEP, ONE, LIST, RANGE} or ANY not in (day, weekday):
        return False
    return {day, weekday} <= {ANY, ONE, LIST, RANGE, LAST}


def _form(field: CronField, part: str) -> str:
    """The form of the part; ODD for one that is not told apart or has no true words."""
    if part == "*":
        return ANY
    if match := re.fullmatch(r"\*/([0-9]{1,2})", part):
        step = int(match[1])
        is_even = field in (MINUTE, HOUR, MONTH) and step < field.size and field.size % step == 0
        return STEP if is_even else ODD
    if part in ("L", "LW") or (field is WEEKDAY and re.fullmatch(r"\w{1,3}#[1-5]|[0-7]L", part)):
        return LAST
    if match := re.fullmatch(r"(\w+)-(\w+)", part):
        first, last = map(field.number, match.groups())
        return (
            RANGE if first is not None and last is not None and _rises(field, first, last) else ODD
        )
    numbers = [field.number(term) for term in part.split(",")]
    is_twice = len(set(numbers)) < len(numbers) or (field is WEEKDAY and {0, 7} <= set(numbers))
    if None in numbers or is_twice:
        return ODD
    return ONE if len(numbers) == 1 else LIST


def _rises(field: CronField, first: int, last: int) -> bool:
    return first < last and not (field is WEEKDAY and (first, last) == (0, 7))
