"""Addresses of the API at which there is nothing."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from scheduler_app.api.endpoint import Endpoint


class Nowhere(Endpoint):
    """404 in JSON to every method and caller; goes behind all other addresses of the API."""

    authentication_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(_("There is nothing at this address."))
