"""What every user model can be asked: a site's own may lack the address, the groups and the flag for staff."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Q


def is_staff(user: Any) -> bool:
    """Whether `user` may change things; a user model without `is_staff` has no staff, and nobody is none."""
    return bool(user.is_authenticated and getattr(user, "is_staff", False))


def has_field(model: Any, name: str) -> bool:
    """Whether `name` is a field of `model` that a query can use."""
    try:
        return bool(model._meta.get_field(name))
    except FieldDoesNotExist:
        return False


def has_groups(model: Any) -> bool:
    """Whether users of `model` are in groups that have a name."""
    return has_field(model, "groups") and has_field(
        model._meta.get_field("groups").related_model, "name"
    )


def called(model: Any, name: str, path: str = "") -> Q:
    """The users of `model` whose user name or address is `name`; `path` leads to them, like "recipient__".

    Selects no user where neither field can hold `name`.
    """
    return called_any(model, [name], path)


def called_any(model: Any, names: Collection[str], path: str = "") -> Q:
    """The users of `model` whose user name or address is one of `names`."""
    found = Q(pk__in=())
    for field in (model.USERNAME_FIELD, model.get_email_field_name()):
        possible = [
            name for name in names if has_field(model, field) and _can_be(model, field, name)
        ]
        if possible:
            found |= Q(**{f"{path}{field}__among": possible})
    return found


def _can_be(model: Any, field: str, name: str) -> bool:
    """Whether a query for `name` can be asked: a number cannot be "olga"."""
    try:
        model._meta.get_field(field).to_python(name)
    except (ValidationError, ValueError, TypeError):
        return False
    return True
