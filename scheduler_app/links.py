"""Addresses of pages, for what is said outside of a page, too."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse


def page(name: str, *args: object) -> str:
    """The address of the page `name`; "" in a project that does not have it among its URLs."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
