"""What the fields of a job may hold: rules that return the value as it is stored, or raise FieldError (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from scheduler_app import timetable
from scheduler_app.errors import ScheduleError

TAG = re.compile(r"[\w.-]{1,50}")
JSON_HINT = "Only text, numbers, True, False, None, lists and dicts with text as keys."


class FieldError(ValueError):
    """A value that a field may not hold; the text says what is wrong, `hint` what to write."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


def _refuse_unstorable(text: str) -> None:
    if "\0" in text:
        raise FieldError("holds a NUL byte", "Take it out.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise FieldError("holds half a character", "Take the lone surrogate out.")


def text(longest: int, *, empty: bool = False) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str):
            raise FieldError("has to be text", "Write it in quotes.")
        _refuse_unstorable(value)
        text = value.strip()
        if not text and not empty:
            raise FieldError("is empty", "Say in a few words what it is.")
        if len(text) > longest:
            raise FieldError(f"has {len(text)} characters", f"At most {longest} fit.")
        return text

    return rule


def matching(
    pattern: re.Pattern[str], hint: str, *, longest: int | None = None
) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise FieldError("is not allowed", hint)
        if longest is not None and len(value) > longest:
            raise FieldError(f"has {len(value)} characters", f"At most {longest} fit.")
        return value

    return rule


def one_of(choices: Collection[str]) -> Callable[[Any], str]:
    known = [str(one) for one in choices]

    def rule(value: Any) -> str:
        if value not in known:
            raise FieldError("is unknown", f"Use one of {', '.join(known)}.")
        return str(value)

    return rule


def whole(least: int, most: int) -> Callable[[Any], int]:
    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FieldError("has to be a whole number", f"From {least} to {most}.")
        return value

    return rule


def seconds(least: float, *, optional: bool = True) -> Callable[[Any], float | None]:
    most = 366 * 86_400

    def rule(value: Any) -> float | None:
        if value is None and optional:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise FieldError("has to be a number of seconds", f"From {least:g} to {most}.")
        return float(value)

    return rule


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldError("has to be True or False", "Without quotes.")
    return value


def cron(value: Any) -> str:
    if not isinstance(value, str | Mapping):
        raise FieldError("is no schedule", "Write '30 2 * * *', {'hour': 2}, or 'every 15 s'.")
    try:
        text = timetable.canonical(_with_text_keys(value))
    except ScheduleError as error:
        raise FieldError("is no schedule", str(error)) from None
    _refuse_unstorable(text)
    if len(text) > 200:
        raise FieldError(f"has {len(text)} characters", "At most 200 fit.")
    return text


def _with_text_keys(value: str | Mapping[Any, Any]) -> str | Mapping[str, Any]:
    return value if isinstance(value, str) else {str(key): each for key, each in value.items()}


@cache
def _zone_names() -> frozenset[str]:
    """Reads the zone files, which takes longer than all else of a declaration."""
    return frozenset(available_timezones())


def zone(value: Any) -> str:
    if value == "":
        return ""
    hint = "Write a name like 'Asia/Shanghai', or leave it out for the site's zone."
    if not isinstance(value, str) or value not in _zone_names():
        raise FieldError("is no time zone", hint)
    return ZoneInfo(value).key


def json_value(kind: type, word: str) -> Callable[[Any], Any]:
    def rule(value: Any) -> Any:
        value = list(value) if kind is list and isinstance(value, tuple) else value
        if not isinstance(value, kind):
            raise FieldError(f"has to be a {word}", f"Write {kind()!r} or leave it out.")
        try:
            text = json.dumps(value, allow_nan=False)
            texts = list(_texts_in(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise FieldError(f"cannot be stored: {error}", JSON_HINT) from None
        for each in texts:
            _refuse_unstorable(each)
        return json.loads(text)

    return rule


def _texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value. Raises TypeError for a key that JSON would turn into text unasked."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is no text")
            yield key
            yield from _texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts_in(each)


def kwargs(value: Any) -> dict[str, Any]:
    names = value if isinstance(value, Mapping) else ()
    if wrong := [name for name in names if not (isinstance(name, str) and name.isidentifier())]:
        raise FieldError(f"{wrong[0]!r} is no name of an argument", "Use the function's names.")
    return dict(json_value(dict, "dict")(value))


def tags(value: Any) -> list[str]:
    tags = json_value(list, "list")(value)
    if any(not isinstance(tag, str) or not TAG.fullmatch(tag) for tag in tags):
        raise FieldError("has a tag that is no word", "Letters, digits, dot, dash, underscore.")
    return sorted(set(tags))
