"""What a person gives a run by hand: an input for each named argument that the job is known to take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

from scheduler_app import parameters
from scheduler_app.masking import MASK, holds_mask, mask, shown
from scheduler_app.models import ScheduledJob

ARGUMENT = "param-"
"""What the name of an argument's input begins with, so that no argument meets another part of the form."""
OTHERS = "params"
NOT_SAID = "–"


class RunForm(forms.Form):
    """`params` has what differs from the job's own arguments.

    A secret is not shown: its input is empty, and what is left empty is as the job (or its callable) has it.
    """

    def __init__(self, job: ScheduledJob, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self._kwargs: Mapping[str, Any] = job.kwargs if isinstance(job.kwargs, dict) else {}
        schema = parameters.known_to(job)
        self._rules: Mapping[str, Any] = schema.get("properties", {})
        for name, rule in self._rules.items():
            self.fields[ARGUMENT + name] = self._field(name, rule, schema.get("required", ()))
        if schema.get("additionalProperties", True) is not False:
            self.fields[OTHERS] = _others(bool(self._rules))

    @property
    def params(self) -> dict[str, Any]:
        """The named arguments of this run; the form is valid."""
        inputs = {name: self.cleaned_data[ARGUMENT + name] for name in self._rules}
        said = {name: value for name, value in inputs.items() if self._is_said(name, value)}
        return {**said, **(self.cleaned_data.get(OTHERS) or {})}

    @property
    def problems(self) -> str:
        """Every error of the form in one text."""
        texts = [
            f"{self.fields[name].label}: {' '.join(map(str, errors))}"
            for name, errors in self.errors.items()
        ]
        return " ".join(texts)

    def _is_said(self, name: str, value: Any) -> bool:
        if ARGUMENT + name not in self.data or value is None:
            return False
        if value == "" and (name not in self._kwargs or self._is_secret(name)):
            return False
        return name not in self._kwargs or bool(value != self._kwargs[name])

    def _is_secret(self, name: str) -> bool:
        return holds_mask(shown(self._kwargs[name], name))

    def _field(self, name: str, rule: Any, required: Sequence[str]) -> forms.Field:
        rule = rule if isinstance(rule, Mapping) else {}
        field = _field_of(rule)
        field.label = str(rule.get("title", name))
        field.help_text = str(rule.get("description", ""))
        field.required = name in required and name not in self._kwargs
        if isinstance(field.widget, forms.TextInput) and holds_mask(shown("x", name)):
            field.widget = forms.PasswordInput(attrs={"autocomplete": "off"})
        if name not in self._kwargs:
            field.widget.attrs["placeholder"] = _shown_default(name, rule)
        elif self._is_secret(name):
            field.widget.attrs["placeholder"] = MASK
        else:
            value = self._kwargs[name]
            is_choice = isinstance(field, forms.TypedChoiceField)
            field.initial = json.dumps(value) if is_choice else value
        return field


class _JSON(forms.JSONField):
    """Empty where there is nothing, not `null`; a secret that was typed is not shown again."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return mask(value)
        return "" if value is None else super().prepare_value(shown(value))


def _field_of(rule: Mapping[str, Any]) -> forms.Field:
    if isinstance(rule.get("enum"), list):
        return _choice({json.dumps(value): str(value) for value in rule["enum"]})
    kind = rule.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None) if len(kind) < 3 else None
    limits = {"min_value": _number(rule, "minimum"), "max_value": _number(rule, "maximum")}
    if kind == "string":
        return forms.CharField(strip=False)
    if kind == "integer":
        return forms.IntegerField(**limits)
    if kind == "number":
        return forms.FloatField(**limits)
    if kind == "boolean":
        return _choice({"true": _("yes"), "false": _("no")})
    return _JSON(widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}))


def _choice(values: Mapping[str, Any]) -> forms.TypedChoiceField:
    """Of JSON values; the first choice says nothing."""
    choices = [("", NOT_SAID), *values.items()]
    return forms.TypedChoiceField(choices=choices, coerce=json.loads, empty_value=None)


def _others(is_rest: bool) -> forms.JSONField:
    attrs = {"rows": 3, "spellcheck": "false", "placeholder": '{"days": 3}'}
    label = (
        _("Further named arguments, as JSON (may stay empty)")
        if is_rest
        else _("Named arguments of this run, as JSON (may stay empty)")
    )
    return _JSON(
        label=label, required=False, widget=forms.Textarea(attrs=attrs), validators=[_is_object]
    )


def _is_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError(_('This has to be an object, like {"days": 3}.'))


def _number(rule: Mapping[str, Any], name: str) -> Any:
    value = rule.get(name)
    return value if isinstance(value, int | float) else None


def _shown_default(name: str, rule: Mapping[str, Any]) -> str:
    value = shown(rule.get("default"), name)
    return "" if value is None else str(value)
