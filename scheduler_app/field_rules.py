"""What the fields of a job may hold: rules that return the value as it is stored, or raise FieldError (pure).

Problem and hint are worded in the language in force.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from scheduler_app import blackouts, calendars, params_schema, timetable, zones
from scheduler_app.closest import suggestion
from scheduler_app.errors import ScheduleError
from scheduler_app.masking import MASK, holds_mask

TAG = re.compile(r"[\w.-]{1,50}")
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class FieldError(ValueError):
    """A value that a field may not hold; the text says what is wrong, `hint` what to write."""

    def __init__(self, problem: str, hint: object) -> None:
        super().__init__(problem)
        self.hint = str(hint)


def _too_long(text: str, longest: int) -> FieldError:
    problem = _("has %(count)d characters") % {"count": len(text)}
    return FieldError(problem, _("At most %(longest)d fit.") % {"longest": longest})


def _refuse_unstorable(text: str) -> None:
    if "\0" in text:
        raise FieldError(_("holds a NUL byte"), _("Take it out."))
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise FieldError(_("holds half a character"), _("Take the lone surrogate out."))


def text(longest: int, *, empty: bool = False) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str):
            raise FieldError(_("has to be text"), _("Write it in quotes."))
        _refuse_unstorable(value)
        text = value.strip()
        if not text and not empty:
            raise FieldError(_("is empty"), _("Say in a few words what it is."))
        if len(text) > longest:
            raise _too_long(text, longest)
        return text

    return rule


def matching(
    pattern: re.Pattern[str], hint: object, *, longest: int | None = None
) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise FieldError(_("is not allowed"), hint)
        if longest is not None and len(value) > longest:
            raise _too_long(value, longest)
        return value

    return rule


def one_of(choices: Collection[str], *, empty: bool = False) -> Callable[[Any], str]:
    known = [str(one) for one in choices]

    def rule(value: Any) -> str:
        if value not in known and not (empty and value == ""):
            hint = _("Use one of %(known)s.") % {"known": ", ".join(known)}
            raise FieldError(_("is unknown"), f"{suggestion(value, known)} {hint}".strip())
        return str(value)

    return rule


def whole(least: int, most: int, *, optional: bool = False) -> Callable[[Any], int | None]:
    def rule(value: Any) -> int | None:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FieldError(_("has to be a whole number"), _between(least, most))
        return value

    return rule


def _between(least: float, most: int) -> str:
    return _("From %(least)s to %(most)s.") % {"least": f"{least:g}", "most": most}


def seconds(least: float, *, optional: bool = True) -> Callable[[Any], float | None]:
    most = 366 * 86_400

    def rule(value: Any) -> float | None:
        if value is None and optional:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise FieldError(_("has to be a number of seconds"), _between(least, most))
        return float(value)

    return rule


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldError(_("has to be True or False"), _("Without quotes."))
    return value


def cron(value: Any) -> str:
    if not isinstance(value, str | Mapping):
        hint = _("Write '30 2 * * *', {'hour': 2}, or 'every 15 s'.")
        raise FieldError(_("is no schedule"), hint)
    try:
        text = timetable.canonical(_with_text_keys(value))
    except ScheduleError as error:
        raise FieldError(_("is no schedule"), str(error)) from None
    _refuse_unstorable(text)
    if len(text) > 200:
        raise _too_long(text, 200)
    return text


def _with_text_keys(value: str | Mapping[Any, Any]) -> str | Mapping[str, Any]:
    return value if isinstance(value, str) else {str(key): each for key, each in value.items()}


def zone(value: Any) -> str:
    if value == "":
        return ""
    if not isinstance(value, str) or value not in zones.names():
        hint = _("Write a name like 'Asia/Shanghai', or leave it out for the site's zone.")
        raise FieldError(_("is no time zone"), f"{suggestion(value, zones.names())} {hint}".strip())
    return ZoneInfo(value).key


def calendar(value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError(_("has to be text"), _("Write it in quotes."))
    if value == "":
        return ""
    return _canonical(value, calendars.canonical, _("is no calendar"), longest=100)


def windows(value: Any) -> list[str]:
    texts = json_value(list, "list")(value)
    if any(not isinstance(text, str) for text in texts):
        problem = _("has a window that is no text")
        raise FieldError(problem, _("Write texts like 'Sat,Sun' or '22:00-06:00'."))
    problem = _("has an entry that is no window")
    found = [_canonical(text, blackouts.canonical, problem, longest=200) for text in texts]
    return list(dict.fromkeys(found))


def _canonical(value: str, form: Callable[[str], str], problem: str, *, longest: int) -> str:
    _refuse_unstorable(value)
    if len(value) > longest:
        raise _too_long(value, longest)
    try:
        return form(value)
    except ScheduleError as error:
        raise FieldError(problem, str(error)) from None


def json_value(kind: type, word: str) -> Callable[[Any], Any]:
    def rule(value: Any) -> Any:
        value = list(value) if kind is list and isinstance(value, tuple) else value
        if not isinstance(value, kind):
            hint = _("Write %(empty)r or leave it out.") % {"empty": kind()}
            raise FieldError(_("has to be a %(kind)s") % {"kind": word}, hint)
        try:
            text = json.dumps(value, allow_nan=False)
            texts = list(_texts_in(value))
        except (TypeError, ValueError, RecursionError) as error:
            problem = _("cannot be stored: %(error)s") % {"error": error}
            hint = _("Only text, numbers, True, False, None, lists and dicts with text as keys.")
            raise FieldError(problem, hint) from None
        for each in texts:
            _refuse_unstorable(each)
        if holds_mask(value):
            problem = _("“%(mask)s” stands for a secret that is not shown") % {"mask": MASK}
            raise FieldError(problem, _("Write the value itself."))
        return json.loads(text)

    return rule


def _texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value. Raises TypeError for a key that JSON would turn into text unasked."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise TypeError(_("the key %(key)r is no text") % {"key": key})
            yield key
            yield from _texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts_in(each)


def kwargs(value: Any) -> dict[str, Any]:
    names = value if isinstance(value, Mapping) else ()
    if wrong := [name for name in names if not (isinstance(name, str) and name.isidentifier())]:
        problem = _("%(name)r is no name of an argument") % {"name": wrong[0]}
        raise FieldError(problem, _("Use the function's names."))
    return dict(json_value(dict, "dict")(value))


def module(value: Any) -> str:
    """Empty where the callable is a management command."""
    if value == "":
        return ""
    hint = _("Write the dotted name of a module, like 'shop.jobs'.")
    return matching(DOTTED, hint, longest=200)(value)


def json_schema(value: Any) -> dict[str, Any]:
    schema = dict(json_value(dict, "dict")(value))
    if problem := params_schema.problem(schema):
        hint = _("Write a JSON Schema of the named arguments: {'properties': {'days': {...}}}.")
        raise FieldError(problem, hint)
    return schema


def exceptions(value: Any) -> list[str]:
    names = json_value(list, "list")(value)
    if any(not isinstance(name, str) or not DOTTED.fullmatch(name) for name in names):
        hint = _("Write names like 'TimeoutError' or 'requests.ConnectionError'.")
        raise FieldError(_("has an entry that is no name of an exception"), hint)
    return list(dict.fromkeys(names))


def tags(value: Any) -> list[str]:
    tags = json_value(list, "list")(value)
    if any(not isinstance(tag, str) or not TAG.fullmatch(tag) for tag in tags):
        hint = _("Letters, digits, dot, dash, underscore.")
        raise FieldError(_("has a tag that is no word"), hint)
    return sorted(set(tags))
