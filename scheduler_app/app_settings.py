"""A setting of Django that is a dict, read as the dataclass that declares its keys (the base of each app's conf.py).

Reading never fails, so that a mistake stops no loop: an unknown key is passed over, a wrong value becomes the default,
and `unknown` and `wrong` list them for the app's system check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.signals import setting_changed

from scheduler_app.closest import suggestion
from scheduler_app.texts import cut_line, storable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SettingFault:
    """What is wrong with one key, and what to write."""

    text: str
    hint: str


class AppSettings(Generic[T]):
    """The setting `name`, read lazily and kept until a test overrides it."""

    def __init__(self, name: str, declared: type[T]) -> None:
        self.name, self._declared = name, declared
        self._fields: dict[str, Field[Any]] = {one.name: one for one in fields(declared)}  # type: ignore[arg-type]
        self._value: T | None = None
        setting_changed.connect(self._forget, dispatch_uid=f"{name} is read anew")

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._fields)

    def get(self) -> T:
        """The settings in force."""
        if self._value is None:
            known = {key: value for key, value in self.readable().items() if key in self._fields}
            fit = {key: _nearest(self._fields[key], value) for key, value in known.items()}
            self._value = self._declared(**fit)
        return self._value

    def raw(self) -> dict[str, Any]:
        """What the setting holds. Raises TypeError or ValueError when it is no dict."""
        return dict(getattr(settings, self.name, {}))

    def readable(self) -> dict[str, Any]:
        """What the setting holds; empty when it is no dict."""
        try:
            return self.raw()
        except (TypeError, ValueError):
            return {}

    def _forget(self, *, setting: str, **_: object) -> None:
        if setting == self.name:
            self._value = None


def one_of(*words: str, default: str) -> Any:
    """A key that is one of `words`."""
    return field(default=default, metadata={"words": words})


def fitting(default: Any, fits: Callable[[Any], bool], wanted: str) -> Any:
    """A key whose text, or each text of its list, is judged by `fits`; `wanted` says what it has to be."""
    return field(default=default, metadata={"fits": fits, "wanted": wanted})


def default_of(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def unknown(name: str, raw: Mapping[str, Any], known: Collection[str]) -> Iterator[SettingFault]:
    """The keys of the setting `name` that nothing reads."""
    for key in raw:
        if key not in known:
            yield SettingFault(f"{name} has an unknown key {key!r}.", closest(key, known))


def wrong(name: str, raw: Mapping[str, Any], declared: Any) -> Iterator[SettingFault]:
    """The values of the setting `name` that are not what the dataclass `declared` says."""
    for one in fields(declared):
        if one.name not in raw:
            continue
        value = raw[one.name]
        if wanted := complaint_of(one, value):
            text = f"{name}['{one.name}'] is {shown(value)}; it has to be {wanted}."
            yield SettingFault(text, _hint(one, value))


def complaint_of(one: Field[Any], value: Any) -> str:
    """What `value` has to be, by the default of the key and what is declared beside it; "" when it is."""
    if found := _complaint(default_of(one), value):
        return found
    if (words := one.metadata.get("words")) and value not in words:
        return _alternatives(words)
    fits = one.metadata.get("fits", bool)
    items = value if isinstance(value, list | tuple) else [value]
    return "" if all(map(fits, items)) or "fits" not in one.metadata else one.metadata["wanted"]


def _nearest(one: Field[Any], value: Any) -> Any:
    """`value` where it is right, else what of it is, else the default."""
    default = default_of(one)
    if isinstance(default, tuple) and isinstance(value, str):
        value = [text for text in re.split(r"[\s,]+", value) if text]
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        fits = one.metadata.get("fits", bool)
        return tuple(text for text in value if isinstance(text, str) and fits(text))
    if isinstance(default, Mapping) and default and isinstance(value, Mapping):
        fit = {key: number for key, number in value.items() if _is_positive(number, int | float)}
        return {key: fit.get(key, number) for key, number in default.items()}
    return default if complaint_of(one, value) else value


def _hint(one: Field[Any], value: Any) -> str:
    words = one.metadata.get("words", ())
    parts = [f"The default is {shown(default_of(one))}."]
    if words:
        parts.insert(0, f"Set it to {_alternatives(words)}.")
    if near := suggestion(value, words):
        parts.append(near)
    return " ".join(parts)


def _alternatives(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def closest(key: Any, known: Collection[str]) -> str:
    return suggestion(key, known) or f"Keys: {', '.join(sorted(known)) or 'none'}."


def shown(value: Any) -> str:
    return storable(cut_line(repr(value), 80), 400)


def _complaint(default: Any, value: Any) -> str:
    if isinstance(default, str):
        return "" if isinstance(value, str) else "text"
    if isinstance(default, tuple):
        return "" if _is_list_of_text(value) else "a list of texts"
    if isinstance(default, Mapping):
        return _complaint_of_dict(default, value)
    if isinstance(default, int):
        return "" if _is_positive(value, int) else "a whole number above 0"
    return "" if _is_positive(value, int | float) else "a number above 0"


def _complaint_of_dict(default: Mapping[str, Any], value: Any) -> str:
    if not isinstance(value, Mapping):
        return "a dict"
    if default and (
        set(value) != set(default)
        or not all(_is_positive(one, int | float) for one in value.values())
    ):
        return f"a dict with a number above 0 for each of {', '.join(default)}"
    return ""


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _is_positive(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and value > 0
