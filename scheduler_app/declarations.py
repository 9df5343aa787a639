"""One entry of `JOBS`: its fields, their defaults and what each may hold (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from scheduler_app import timetable
from scheduler_app.errors import ScheduleError
from scheduler_app.states import DstFold, DstGap, OnLost, OnMissed, Overlap, Severity

ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
TAG = re.compile(r"[\w.-]{1,50}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeclaration:
    """A valid entry of `JOBS`. Lengths in seconds; `cron` is canonical (see timetable.py)."""

    id: str
    name: str
    module: str
    callable: str
    cron: str
    owner: str
    category: str
    description: str
    enabled: bool = True
    timezone: str = ""
    dst_gap: str = DstGap.RUN_AFTER
    dst_fold: str = DstFold.ONCE
    calendar: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    max_instances: int = 1
    overlap: str = Overlap.SKIP
    grace_s: float | None = None
    on_missed: str = OnMissed.LATEST
    max_catch_up: int = 1
    max_retries: int = 0
    retry_backoff_s: float = 60.0
    on_lost: str = OnLost.ALERT
    queue: str = "default"
    severity: str = Severity.ERROR
    expected_s: float | None = None
    tags: list[str] = field(default_factory=list)

    FIELDS: ClassVar[tuple[str, ...]]
    REQUIRED: ClassVar[tuple[str, ...]]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values by field."""
        return {name: _plain(value) for name, value in asdict(self).items()}


JobDeclaration.FIELDS = tuple(one.name for one in fields(JobDeclaration))
JobDeclaration.REQUIRED = tuple(
    one.name
    for one in fields(JobDeclaration)
    if one.default is MISSING and one.default_factory is MISSING
)


class FieldError(ValueError):
    """A value that a field may not hold; the text says what is wrong, `hint` what to write."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


def clean(name: str, value: Any) -> Any:
    """The value of field `name` as it is stored. Raises FieldError."""
    return RULES[name](value)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _text(longest: int, *, empty: bool = False) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str):
            raise FieldError("has to be text", "Write it in quotes.")
        if "\0" in value:
            raise FieldError("holds a NUL byte", "Take it out.")
        text = value.strip()
        if not text and not empty:
            raise FieldError("is empty", "Say in a few words what it is.")
        if len(text) > longest:
            raise FieldError(f"has {len(text)} characters", f"At most {longest} fit.")
        return text

    return rule


def _matching(pattern: re.Pattern[str], hint: str) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise FieldError("is not allowed", hint)
        return value

    return rule


def _one_of(choices: Collection[str]) -> Callable[[Any], str]:
    known = [str(one) for one in choices]

    def rule(value: Any) -> str:
        if value not in known:
            raise FieldError("is unknown", f"Use one of {', '.join(known)}.")
        return str(value)

    return rule


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FieldError("has to be a whole number", f"From {least} to {most}.")
        return value

    return rule


def _seconds(least: float, *, optional: bool = True) -> Callable[[Any], float | None]:
    most = 366 * 86_400

    def rule(value: Any) -> float | None:
        if value is None and optional:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise FieldError("has to be a number of seconds", f"From {least:g} to {most}.")
        return float(value)

    return rule


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldError("has to be True or False", "Without quotes.")
    return value


def _cron(value: Any) -> str:
    if not isinstance(value, str | Mapping):
        raise FieldError("is no schedule", "Write '30 2 * * *', {'hour': 2}, or 'every 15 s'.")
    try:
        text = timetable.canonical(value)
    except ScheduleError as error:
        raise FieldError("is no schedule", str(error)) from None
    if len(text) > 200:
        raise FieldError(f"has {len(text)} characters", "At most 200 fit.")
    return text


def _zone(value: Any) -> str:
    if value == "":
        return ""
    hint = "Write a name like 'Asia/Shanghai', or leave it out for the site's zone."
    if not isinstance(value, str) or value not in available_timezones():
        raise FieldError("is no time zone", hint)
    return ZoneInfo(value).key


def _json(kind: type, word: str) -> Callable[[Any], Any]:
    def rule(value: Any) -> Any:
        value = list(value) if kind is list and isinstance(value, tuple) else value
        if not isinstance(value, kind):
            raise FieldError(f"has to be a {word}", f"Write {kind()!r} or leave it out.")
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            hint = "Only text, numbers, True, False, None, lists and dicts with text as keys."
            raise FieldError(f"cannot be stored: {error}", hint) from None
        if "\\u0000" in text:
            raise FieldError("holds a NUL byte", "Take it out.")
        return json.loads(text)

    return rule


def _kwargs(value: Any) -> dict[str, Any]:
    names = value if isinstance(value, Mapping) else ()
    if wrong := [name for name in names if not (isinstance(name, str) and name.isidentifier())]:
        raise FieldError(f"{wrong[0]!r} is no name of an argument", "Use the function's names.")
    return dict(_json(dict, "dict")(value))


def _tags(value: Any) -> list[str]:
    tags = _json(list, "list")(value)
    if any(not isinstance(tag, str) or not TAG.fullmatch(tag) for tag in tags):
        raise FieldError("has a tag that is no word", "Letters, digits, dot, dash, underscore.")
    return sorted(set(tags))


RULES: Mapping[str, Callable[[Any], Any]] = {
    "id": _matching(
        ID, "Lower-case letters, digits, dot, dash and underscore; at most 100 of them."
    ),
    "name": _text(200),
    "module": _matching(DOTTED, "Write the dotted name of a module, like 'shop.jobs'."),
    "callable": _matching(DOTTED, "Write the name of a function in the module."),
    "cron": _cron,
    "owner": _text(150),
    "category": _text(100),
    "description": _text(5000, empty=True),
    "enabled": _flag,
    "timezone": _zone,
    "dst_gap": _one_of(DstGap.values),
    "dst_fold": _one_of(DstFold.values),
    "calendar": _text(100, empty=True),
    "args": _json(list, "list"),
    "kwargs": _kwargs,
    "timeout_s": _seconds(0.1),
    "max_instances": _whole(1, 1000),
    "overlap": _one_of(Overlap.values),
    "grace_s": _seconds(1),
    "on_missed": _one_of(OnMissed.values),
    "max_catch_up": _whole(1, 1000),
    "max_retries": _whole(0, 100),
    "retry_backoff_s": _seconds(0, optional=False),
    "on_lost": _one_of(OnLost.values),
    "queue": _matching(TAG, "Letters, digits, dot, dash and underscore; at most 50."),
    "severity": _one_of(Severity.values),
    "expected_s": _seconds(0),
    "tags": _tags,
}
