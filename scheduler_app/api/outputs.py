"""What answers are made of: words of closed sets, and values without secrets (promise P8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from scheduler_app.masking import MASK, mask


def word(choices: type[TextChoices], **options: Any) -> serializers.CharField:
    """A field whose values are those of a closed set."""
    known = ", ".join(value for value in choices.values if value)
    return serializers.CharField(help_text=f"One of {known}.", **options)


class Masked(serializers.CharField):
    """A text that people or gateways wrote."""

    def to_representation(self, value: Any) -> str:
        return mask(super().to_representation(value))


@extend_schema_field(OpenApiTypes.ANY)
class MaskedJSON(serializers.JSONField):
    """Plain values that people wrote."""

    def to_representation(self, value: Any) -> Any:
        return shown(super().to_representation(value))


def shown(value: Any, name: str = "") -> Any:
    """`value` without secrets: neither in its texts nor under a name that says that it is one."""
    if isinstance(value, Mapping):
        return {key: shown(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item, name) for item in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if _names_a_secret(name):
        return MASK
    return mask(value) if isinstance(value, str) else value


def holds_mask(value: Any) -> bool:
    """Whether `value` came out of `shown`, so that storing it would lose the secret behind it."""
    if isinstance(value, Mapping):
        return any(holds_mask(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_mask(item) for item in value)
    return isinstance(value, str) and MASK in value


def _names_a_secret(name: str) -> bool:
    return bool(name) and mask(f"{name}=x").endswith(MASK)
