"""What to write instead of a cron expression that other programs take and Vigil does not (pure).

Each rule rewrites one thing and says why; `refusal` applies them all and words the result. Rules of the whole text come
first, then those of single terms, such as `22-2` in a list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from django.utils import dates
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import override

from scheduler_app.closest import closest
from scheduler_app.cron_fields import (
    ALIASES,
    DAY,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH,
    RANGE,
    WEEKDAY,
    CronField,
)


class Change(NamedTuple):
    """What a rule makes of a text, and why."""

    text: str
    why: str | Promise


LOOK_ALIKES = str.maketrans("‐‑‒–—−∗✱×、", "------***,", "\\\"'`“”‘’")
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "zh-hans", "zh-hant", "ja", "ko")
"""In which names of days and months are recognised."""
ALSO_KNOWN = {
    "@MINUTELY": "* * * * *",
    "@EVERY_MINUTE": "* * * * *",
    "@QUARTERLY": "0 0 1 */3 *",
    "@WEEKDAYS": "0 0 * * MON-FRI",
    "@WEEKENDS": "0 0 * * SAT,SUN",
}
HASHED = {MINUTE: 17, HOUR: 3, DAY: 7, MONTH: 1, WEEKDAY: 3}
"""What is written for Jenkins' `H`, by field."""
ZONE = re.compile(r"(?:CRON_)?TZ=(\S+) (.+)", re.IGNORECASE)
EVERY = re.compile(r"@EVERY ((?:[0-9]{1,6}[DHMS])+)")
CLOCK = re.compile(r"(?:(?:DAILY |EVERY DAY )?AT )?([0-9]{1,2}):([0-9]{2})(?::00)?")
YEAR = re.compile(r"\*|[0-9]{4}([-,/][0-9]{1,4})*")
WORD = re.compile(r"[^\W\d]+")
KNOWN_WORDS = frozenset({"L", "W", "LW", "H", *MONTH.names, *WEEKDAY.names})
BLANKS_WITHIN = re.compile(r" ?([,/]) ?")
HASH = re.compile(r"H(?:\(([0-9]{1,2})-([0-9]{1,2})\))?(?:/([0-9]{1,2}))?")
NEAREST = re.compile(r"([0-9]{1,2})W")
BEFORE_LAST = re.compile(r"L-([0-9]{1,2})W?")
LAST_NAMED = re.compile(r"([A-Z]{3})L")
RANDOM = re.compile(r"([0-9]{0,2})~([0-9]{0,2})(/[0-9]{1,2})?")
LONG_NAME = re.compile(r"[^\W\d_]{2,}|[0-9]{1,2}月")


def refusal(value: str, accepts: Callable[[str], bool]) -> str:
    """Why `value` is refused and what to write instead; `accepts` says whether an expression can be used."""
    text, reasons = " ".join(value.split()).upper(), []
    for change in _changes(text):
        text = change.text
        reasons.append(str(change.why))
    told = "; ".join(dict.fromkeys(reasons))
    if told and accepts(text):
        return _("%(value)r: %(why)s. Write %(text)r.") % {
            "value": value, "why": told, "text": text,
        }  # fmt: skip
    if wrong := _wrong_term(text):
        told = "; ".join(filter(None, (told, wrong)))
    if told:
        return f"{value!r}: {told}."
    return _(
        "%(value)r is no schedule: write five fields like '30 2 * * *' (minute, hour, day, month, day of week), "
        "an interval like 'every 15 s', or one time like 'at 2026-12-01T02:00'."
    ) % {"value": value}


def _changes(text: str) -> Iterator[Change]:
    for rule in WHOLE:
        if change := rule(text):
            yield change
            text = change.text
    parts = text.split()
    if len(parts) != len(FIELDS):
        return
    for number, field in enumerate(FIELDS):
        for change in _term_changes(field, parts[number]):
            parts[number] = change.text
            yield Change(" ".join(parts), change.why)


def _term_changes(field: CronField, part: str) -> Iterator[Change]:
    """Each yields the whole part with one further term changed."""
    terms = part.split(",")
    for number, term in enumerate(terms):
        for rule in TERMS:
            if change := rule(field, terms[number]):
                terms[number] = change.text
                yield Change(",".join(filter(None, terms)), change.why)
        if not term and any(terms):
            yield Change(",".join(filter(None, terms)), _("a comma has nothing on one side"))


# Rules of the whole text


def _usual_characters(text: str) -> Change | None:
    usual = unicodedata.normalize("NFKC", text).translate(LOOK_ALIKES)
    usual = "".join(one for one in usual if unicodedata.category(one) not in ("Cf", "Cc"))
    usual = " ".join(usual.split()).upper()
    if usual == text:
        return None
    return Change(usual, _("it has characters that are no part of cron, or only look like it"))


def _zone_apart(text: str) -> Change | None:
    if not (match := ZONE.fullmatch(text)):
        return None
    zone = "/".join(part.title() if len(part) > 3 else part for part in match[1].split("/"))
    return Change(match[2], _("the time zone is a field of the job: timezone = %(zone)r") % {"zone": zone})  # fmt: skip


def _nickname(text: str) -> Change | None:
    if text in ("@REBOOT", "@RESTART", "@STARTUP"):
        why = _(
            "the start of a machine is no time: write when the job has to run, such as '0 0 * * *', or let the "
            "machine's own service manager call `manage.py run_job`"
        )
        return Change(text, why)
    if match := EVERY.fullmatch(text):
        pieces = re.findall(r"([0-9]+)([DHMS])", match[1])
        seconds = sum(int(n) * {"D": 86_400, "H": 3600, "M": 60, "S": 1}[u] for n, u in pieces)
        return Change(_interval(seconds), _("an interval is written without @"))
    if text in ALSO_KNOWN:
        return Change(ALSO_KNOWN[text], _("there is no such nickname"))
    if text.startswith("@") and (close := closest(text, ALIASES)):
        return Change(close.lower(), _("there is no such nickname"))
    return None


def _interval(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"every {seconds // size} {unit}"
    return f"every {seconds} s"


def _clock(text: str) -> Change | None:
    if not (match := CLOCK.fullmatch(text)):
        return None
    why = _("a time of day is written as minute and hour")
    return Change(f"{int(match[2])} {int(match[1])} * * *", why)


def _blanks_within(text: str) -> Change | None:
    joined = BLANKS_WITHIN.sub(r"\1", text)
    if joined == text or len(joined.split()) < len(FIELDS):
        return None
    return Change(joined, _("a blank separates fields, so a list has none"))


def _command(text: str) -> Change | None:
    """The user and the command of a line of a crontab."""
    parts = text.split()
    if not any(set(WORD.findall(part)) - KNOWN_WORDS for part in parts[5:]):
        return None
    why = _("only the five fields are written, no user and no command")
    return Change(" ".join(parts[:5]), why)


def _six_or_more(text: str) -> Change | None:
    """Quartz's seconds and year."""
    parts = text.split()
    if len(parts) not in (6, 7):
        return None
    if len(parts) == 6 and _is_year(parts[5]) and parts[5] != "*":
        return Change(" ".join(parts[:5]), _("there is no field for years"))
    return _without_seconds(parts[0], parts[1:6])


def _is_year(part: str) -> bool:
    return YEAR.fullmatch(part) is not None


def _without_seconds(second: str, rest: list[str]) -> Change:
    """Without the field for seconds; a job that runs every few seconds gets an interval."""
    step = re.fullmatch(r"(?:\*|0)/([0-9]{1,2})", second)
    if all(part in "*?" for part in rest) and (second == "*" or (step and int(step[1]))):
        count = step[1] if step else "1"
        return Change(f"every {int(count)} s", _("there is no field for seconds"))
    return Change(" ".join(rest), _("there are five fields, none for seconds or years"))


def _question_mark(text: str) -> Change | None:
    """Quartz: `?` is `*`, and its days of the week count from 1, Sunday."""
    if "?" not in text.split():
        return None
    parts = ["*" if part == "?" else part for part in text.split()]
    why = _("? is written as *")
    if len(parts) == len(FIELDS) and re.fullmatch(r"[1-7](?:[-,][1-7])*", parts[4]):
        parts[4] = re.sub(r"[1-7]", lambda one: WEEKDAY.names[int(one[0]) - 1], parts[4])
        why = _("? is written as *, and Quartz counts days from 1, Sunday")
    elif len(parts) == len(FIELDS) and (match := re.fullmatch(r"([1-7])([L#].*)", parts[4])):
        parts[4] = f"{int(match[1]) - 1}{match[2]}"
        why = _("? is written as *, and Quartz counts days from 1, Sunday")
    return Change(" ".join(parts), why)


WHOLE = (
    _usual_characters,
    _zone_apart,
    _nickname,
    _clock,
    _command,
    _blanks_within,
    _six_or_more,
    _question_mark,
)


# Rules of one term of one field


def _long_name(field: CronField, term: str) -> Change | None:
    def abbreviated(match: re.Match[str]) -> str:
        return _names_of(field).get(match[0].casefold(), match[0]) if field.names else match[0]

    found = LONG_NAME.sub(abbreviated, term)
    why = _("days and months have English names of three letters")
    return Change(found, why) if found != term else None


def _hashed(field: CronField, term: str) -> Change | None:
    if not (match := HASH.fullmatch(term)):
        return None
    first, last, step = match.groups()
    text = f"{first}-{last}" if first else "*"
    text = f"{text}/{step}" if step else first or str(HASHED[field])
    why = _("H is Jenkins' own: write a time, and jitter_s where jobs have to be spread")
    return Change(text, why)


def _random(field: CronField, term: str) -> Change | None:
    if not (match := RANDOM.fullmatch(term)):
        return None
    text = match[1] or match[2] or str(HASHED[field])
    why = _("there are no random times: write one, and jitter_s where jobs have to be spread")
    return Change(text, why)


def _nearest_weekday(field: CronField, term: str) -> Change | None:
    if field is not DAY or not (match := NEAREST.fullmatch(term)):
        return None
    why = _(
        "the weekday next to a day cannot be said: write the day, and a calendar where days off are skipped"
    )
    return Change(match[1], why)


def _before_last(field: CronField, term: str) -> Change | None:
    if field is not DAY or not (match := BEFORE_LAST.fullmatch(term)):
        return None
    days = int(match[1])
    if not 0 < days < 28:
        return Change("L", _("the last day is L"))
    facts = {"long": 31 - days, "short": 30 - days, "february": 28 - days}
    why = _(
        "days before the last one differ from month to month: write L, or three jobs with the days and months "
        "'%(long)d 1,3,5,7,8,10,12', '%(short)d 4,6,9,11' and '%(february)d 2'"
    )
    return Change("L", why % facts)


def _last_of_week(field: CronField, term: str) -> Change | None:
    if term == "L" and field in (MINUTE, HOUR, MONTH):
        return Change(str(field.most), _("L is for days only"))
    if field is not WEEKDAY:
        return None
    if term == "L":
        return Change("SAT", _("L alone is for the day of month"))
    if (match := LAST_NAMED.fullmatch(term)) and (day := WEEKDAY.number(match[1])) is not None:
        return Change(f"{day}L", _("the last one of a month is written with a number"))
    return None


def _step(_field: CronField, term: str) -> Change | None:
    if re.fullmatch(r"/[0-9]{1,4}", term):
        return Change(f"*{term}", _("a step needs what it steps through"))
    if re.fullmatch(r".+/0+", term):
        return Change(term.partition("/")[0], _("a step is at least 1"))
    return None


def _in_bounds(field: CronField, term: str) -> Change | None:
    """The end of a field as others count it: hour 24, minute 60, day 0."""
    base, slash, step = term.partition("/")
    ends = base.split("-")
    numbers = [field.number(end) for end in ends]
    if len(ends) > 2 or None in numbers or all(field.allows(n) for n in numbers if n is not None):
        return None
    if len(ends) == 1:
        moved = {field.most + 1: field.least, 0: field.least}.get(numbers[0] or 0)
        if moved is None or field is WEEKDAY:
            return None
        found = [str(moved)]
    else:
        found = [str(max(field.least, min(field.most, n))) for n in numbers if n is not None]
    why = _("the %(field)s goes from %(least)d to %(most)d")
    facts = {"field": field.title, "least": field.least, "most": field.most}
    return Change("-".join(found) + slash + step, why % facts)


def _backwards(field: CronField, term: str) -> Change | None:
    if not (match := RANGE.fullmatch(term)):
        return None
    first, last = field.number(match["first"]), field.number(match["last"])
    if first is None or last is None or not (field.allows(first) and field.allows(last)):
        return None
    if first <= last:
        return None
    most = field.least + field.size - 1
    why = _("the range %(range)s goes backwards") % {"range": term}
    if field is WEEKDAY and first == WEEKDAY.most:  # 7-2 is Sunday to Tuesday
        return Change(term.replace("7", "0", 1), why)
    if match["step"]:
        values = [*range(first, most + 1), *range(field.least, last + 1)][
            :: int(match["step"]) or 1
        ]
        return Change(",".join(map(str, values)), why)
    is_named = match["first"] in field.names
    head, tail = (_range(field, a, b, is_named) for a, b in ((first, most), (field.least, last)))
    return Change(f"{head},{tail}", why)


def _range(field: CronField, first: int, last: int, is_named: bool) -> str:
    ends = [field.names[n - field.least] if is_named else str(n) for n in (first, last)]
    return "-".join(dict.fromkeys(ends))


TERMS = (
    _long_name,
    _hashed,
    _random,
    _nearest_weekday,
    _before_last,
    _last_of_week,
    _step,
    _in_bounds,
    _backwards,
)


@lru_cache(maxsize=2)
def _names_of(field: CronField) -> dict[str, str]:
    """The abbreviation in cron by the name in other languages; a name of two different ones is left out."""
    month = field is MONTH
    kinds = (dates.MONTHS, dates.MONTHS_3) if month else (dates.WEEKDAYS, dates.WEEKDAYS_ABBR)
    found: dict[str, set[str]] = {}
    for language in LANGUAGES:
        with override(language):
            for kind in kinds:
                for number, name in kind.items():
                    key = str(name).replace(" ", "").rstrip(".").casefold()
                    abbreviation = field.names[number - 1 if month else (number + 1) % 7]
                    found.setdefault(key, set()).add(abbreviation)
    for name in field.names:
        found.setdefault(name[:2].casefold(), set()).add(name)
    return {key: names.pop() for key, names in found.items() if len(names) == 1}


def _wrong_term(text: str) -> str:
    """The first term that its field does not take, and what it takes."""
    parts = text.split()
    for field, part in zip(FIELDS, parts, strict=True) if len(parts) == len(FIELDS) else ():
        for term in part.split(","):
            if not _is_plausible(field, term):
                facts = {"term": term, "field": field.title, "allowed": _allowed(field)}
                return _("%(term)r is no %(field)s: write %(allowed)s") % facts
    return ""


def _allowed(field: CronField) -> str:
    facts = {"least": field.least, "most": field.most}
    if field.names:
        names = {"first": field.names[0], "last": field.names[-1]}
        text = _(
            "numbers from %(least)d to %(most)d or names from %(first)s to %(last)s, such as 5, 1-5, */2 or 1,3"
        )
        return text % {**facts, **names}
    return _("numbers from %(least)d to %(most)d, such as 5, 1-5, */2 or 1,3") % facts


def _is_plausible(field: CronField, term: str) -> bool:
    base, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step[:9])):
        return False
    if base == "*":
        return True
    if field is DAY and base in ("L", "LW"):
        return True
    if field is WEEKDAY and (match := re.fullmatch(r"(\w+)#[1-5]|([0-7])L", base)):
        base = match[1] or match[2]
    numbers = [field.number(end) for end in base.split("-")]
    return len(numbers) < 3 and all(n is not None and field.allows(n) for n in numbers)
