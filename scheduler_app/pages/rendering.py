"""How a page becomes HTML inside the site's own shell, or in ours where the site has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import shortcuts
from django.http import HttpRequest, HttpResponse
from django.template.loader import select_template

SHELLS = ("base.html", "scheduler_app/base.html")


def render(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """As Django's `render`, with the template that the layout extends."""
    shell = select_template(SHELLS)
    return shortcuts.render(request, template, {**context, "vigil_shell": shell})
