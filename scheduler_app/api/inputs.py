"""What callers send: strict JSON, and only names that mean something."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """JSON that every database can store: no half characters, not nested without end."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError(_("The JSON is nested too deeply.")) from None
        except UnicodeEncodeError:
            raise ParseError(_("The JSON holds half of a surrogate pair.")) from None
        return data


class Input(serializers.Serializer[Any]):
    """Fields of a body or a query; a name that is none of them is a fault like a wrong value."""

    def to_internal_value(self, data: Any) -> Any:
        names = data if isinstance(data, Mapping) else ()
        unknown = {str(name): [_("Unknown.")] for name in names if name not in self.fields}
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError(_merged(error.detail, unknown)) from None
        if unknown:
            raise ValidationError(unknown)
        return values


def _merged(detail: Any, unknown: Mapping[str, Any]) -> Any:
    return {**detail, **unknown} if isinstance(detail, dict) else detail


def read(shape: type[Input], data: Any) -> dict[str, Any]:
    """The valid values of a body or a query. Raises ValidationError."""
    given = shape(data=plain(data))
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def plain(data: Any) -> Any:
    """A query (or the body that is missing) like JSON: what is not there is not there, also a flag."""
    return data.dict() if isinstance(data, QueryDict) else data
