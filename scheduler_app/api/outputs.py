"""What answers are made of: words of closed sets, and values without secrets (promise P8)."""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from scheduler_app.masking import mask, shown


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
