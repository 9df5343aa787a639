"""What an id may look like in the address of a page."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import IntConverter


class IdConverter(IntConverter):
    """As many digits as the keys of every database have."""

    regex = "[0-9]{1,18}"


register_converter(IdConverter, "id")
