"""Addresses of the site's pages for messages, which are written outside of any request."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.urls import NoReverseMatch, get_script_prefix, reverse

from scheduler_app import conf


def absolute(site_url: str, view: str, *args: Any) -> str:
    """The address of `view` on the site at `site_url`; "" without one, or where the project does not have the page.

    Addresses begin below the path of `site_url` (https://example.com/vigil), or below FORCE_SCRIPT_NAME where
    `site_url` has none.
    """
    path = _path_of(view, args)
    if not site_url or not path:
        return ""
    site_url = site_url.rstrip("/")
    return site_url + path if urlsplit(site_url).path else site_url + conf.script_name() + path


def local(view: str, *args: Any) -> str:
    """The path of `view` on its host; "" where the project does not have the page."""
    path = _path_of(view, args)
    return conf.script_name() + path if path else ""


def _path_of(view: str, args: Any) -> str:
    """Without the script prefix, which Django knows only in threads that serve requests."""
    try:
        return f"/{reverse(view, args=args).removeprefix(get_script_prefix())}"
    except NoReverseMatch:
        return ""
