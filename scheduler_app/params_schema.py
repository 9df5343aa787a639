"""JSON Schemas of the named arguments of a job (pure). Whatever a schema refers to is in it: nothing is ever fetched.

A fault names the parameter, what is wrong and what is allowed; the value itself, which may be a secret, is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from scheduler_app.texts import cut_line

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
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        facts = {"place": error.json_path, "problem": cut_line(error.message, 200)}
        return _("is no JSON Schema: at %(place)s %(problem)s") % facts
    if schema.get("type", "object") != "object":
        return _("has to describe an object: the named arguments together")
    return _unresolved(schema)


def faults(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """What keeps `values` from fulfilling `schema`, a text for each; `schema` has no `problem`."""
    if not schema:
        return []
    kind = validator_for(schema, default=Draft202012Validator)
    validator = kind(schema, registry=REGISTRY, format_checker=kind.FORMAT_CHECKER)
    try:
        found = sorted(validator.iter_errors(values), key=lambda error: list(map(str, error.path)))
    except (RecursionError, Unresolvable):
        return [_("cannot be compared with the schema: it refers to itself, or to nothing")]
    return list(dict.fromkeys(text for error in found for text in _worded(error)))


def _worded(error: ValidationError) -> Iterator[str]:
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield _("%(name)s is missing") % {"name": _within(place, name)}
    elif error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        patterns = error.schema.get("patternProperties", {})
        for name in error.instance:
            if name not in known and not patterns:
                facts = {"name": _within(place, name), "known": ", ".join(known) or "–"}
                yield _("%(name)s is unknown; known are: %(known)s") % facts
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
