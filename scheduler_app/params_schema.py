"""JSON Schemas of the named arguments of a job (pure). Whatever a schema refers to is in it: nothing is ever fetched.

A fault names the parameter, what is wrong and what is allowed; the value itself, which may be a secret, is not shown.

No schema and no value keeps the process busy: patterns are searched in linear time (`linear_pattern`), schemas are
bounded in size and depth, and one comparison in references followed and characters searched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend, validator_for
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from scheduler_app.closest import suggestion
from scheduler_app.linear_pattern import LONGEST_TEXT, PatternError, compiled
from scheduler_app.texts import cut_line

DEEPEST = 40
LARGEST = 50_000
"""Characters of a schema, as JSON."""
MOST_STEPS = 20_000
MOST_COMPARED = 1000
"""Entries of a list that `uniqueItems` compares with one another."""
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
WORDS: Mapping[str, Any] = {
    "type": gettext_lazy("has to be of the type %(wanted)s"),
    "enum": gettext_lazy("has to be one of %(wanted)s"),
    "const": gettext_lazy("has to be %(wanted)s"),
    "minimum": gettext_lazy("has to be at least %(wanted)s"),
    "maximum": gettext_lazy("has to be at most %(wanted)s"),
    "exclusiveMinimum": gettext_lazy("has to be more than %(wanted)s"),
    "exclusiveMaximum": gettext_lazy("has to be less than %(wanted)s"),
    "multipleOf": gettext_lazy("has to be a multiple of %(wanted)s"),
    "minLength": gettext_lazy("has to have at least %(wanted)s characters"),
    "maxLength": gettext_lazy("has to have at most %(wanted)s characters"),
    "pattern": gettext_lazy("has to match %(wanted)s"),
    "format": gettext_lazy("has to have the format %(wanted)s"),
    "minItems": gettext_lazy("has to have at least %(wanted)s entries"),
    "maxItems": gettext_lazy("has to have at most %(wanted)s entries"),
}
OTHERWISE = gettext_lazy("breaks the rule %(rule)s of the schema: %(wanted)s")


def problem(schema: Any) -> str:
    """Why `schema` cannot be used; "" when it can."""
    if not isinstance(schema, Mapping):
        return _("has to be an object")
    if wrong := _too_large(schema):
        return wrong
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        facts = {"place": error.json_path, "problem": cut_line(error.message, 200)}
        return _("is no JSON Schema: at %(place)s %(problem)s") % facts
    if wrong := _unusable_pattern(schema):
        return wrong
    if schema.get("type", "object") != "object":
        return _("has to describe an object: the named arguments together")
    return _unresolved(schema)


def faults(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """What keeps `values` from fulfilling `schema`, a text for each; `schema` has no `problem`."""
    if not schema:
        return []
    if problem := _too_large(schema) or _unusable_pattern(schema):
        return [_("the schema cannot be used: it %(problem)s") % {"problem": problem}]
    kind = _bounded(validator_for(schema, default=Draft202012Validator))
    validator = kind(schema, registry=REGISTRY, format_checker=kind.FORMAT_CHECKER)
    _steps_left.set(MOST_STEPS)
    try:
        found = sorted(validator.iter_errors(values), key=lambda error: list(map(str, error.path)))
    except (RecursionError, Unresolvable):
        return [_("cannot be compared with the schema: it refers to itself, or to nothing")]
    except (_TooMuchError, ArithmeticError):
        return [_("cannot be compared with the schema in time: give fewer and shorter values")]
    return list(dict.fromkeys(text for error in found for text in _worded(error)))


def _worded(error: ValidationError) -> Iterator[str]:
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield _("%(name)s is missing") % {"name": _within(place, name)}
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for name in error.instance:
            if name not in known:
                facts = {"name": _within(place, name), "known": ", ".join(known) or "–"}
                text = _("%(name)s is unknown; known are: %(known)s") % facts
                yield f"{text}. {suggestion(name, known)}".removesuffix(". ")
    else:
        words = WORDS.get(str(error.validator), OTHERWISE)
        facts = {"rule": error.validator, "wanted": _wanted(error.validator_value)}
        yield f"{place} {words % facts}".strip()


def _within(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _wanted(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_wanted(one) for one in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cut_line(text, 200)


def _unresolved(schema: Mapping[str, Any]) -> str:
    """A reference that leads out of the schema, or nowhere."""
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = REGISTRY.with_resource("", resource).resolver()
    for reference in _references(schema):
        facts = {"reference": cut_line(reference, 200)}
        if not reference.startswith("#"):
            return _("refers to %(reference)s: only its own parts, '#/$defs/…', can be had") % facts
        try:
            resolver.lookup(reference)
        except Unresolvable:
            return _("refers to %(reference)s, which it does not have") % facts
    return ""


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key in REFERENCES and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _too_large(schema: Mapping[str, Any]) -> str:
    if _depth(schema) > DEEPEST:
        return _("is nested more than %(deepest)d levels deep: write it flatter") % {
            "deepest": DEEPEST
        }
    if len(json.dumps(schema)) > LARGEST:
        return _("has more than %(largest)d characters: write a shorter one") % {"largest": LARGEST}
    return ""


def _depth(schema: Mapping[str, Any]) -> int:
    """How deep parts lie in one another, at most one more than DEEPEST."""
    parts: list[Any] = [schema]
    depth = 0
    while parts and depth <= DEEPEST:
        depth += 1
        parts = [
            inner
            for part in parts
            for inner in (part.values() if isinstance(part, Mapping) else part)
            if isinstance(inner, Mapping | list)
        ]
    return depth


def _unusable_pattern(part: Any) -> str:
    """A pattern that cannot be searched in linear time; names of properties are none, though they may be called so."""
    if isinstance(part, Mapping):
        if "patternProperties" in part and isinstance(part["patternProperties"], Mapping):
            return _("has patternProperties: write properties, or propertyNames with a pattern")
        if isinstance(pattern := part.get("pattern"), str):
            try:
                compiled(pattern)
            except PatternError as error:
                facts = {"pattern": cut_line(pattern, 100), "problem": error}
                return _("has the pattern %(pattern)r, which %(problem)s") % facts
    inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    return next(filter(None, map(_unusable_pattern, inner)), "")


class _TooMuchError(Exception):
    """One comparison has taken MOST_STEPS."""


_steps_left: ContextVar[int] = ContextVar("steps_left", default=MOST_STEPS)
Rule = Callable[[Any, Any, Any, Any], Any]


def _take(steps: int) -> None:
    left = _steps_left.get() - steps
    if left < 0:
        raise _TooMuchError
    _steps_left.set(left)


@cache
def _bounded(kind: Any) -> Any:
    """The validator `kind` with rules whose work is bounded."""
    counted = {
        name: _counted(kind.VALIDATORS[name]) for name in REFERENCES if name in kind.VALIDATORS
    }
    unique = kind.VALIDATORS.get("uniqueItems")
    return extend(kind, {**counted, "pattern": _pattern, "uniqueItems": _bounded_unique(unique)})


def _counted(rule: Rule) -> Rule:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _take(10)
        yield from rule(validator, value, instance, schema) or ()

    return counted


def _bounded_unique(rule: Rule) -> Rule:
    def unique(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if value and isinstance(instance, list):
            _take(MOST_STEPS + 1 if len(instance) > MOST_COMPARED else len(instance))
        yield from rule(validator, value, instance, schema) or ()

    return unique


def _pattern(
    validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "string"):
        return
    _take(MOST_STEPS + 1 if len(instance) > LONGEST_TEXT else len(instance) + 1)
    if not compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")
