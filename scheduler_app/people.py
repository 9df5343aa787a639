"""What every user model can be asked: a site's own may lack the address, the groups and permissions."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Q

VIEW_JOBS = "scheduler_app.view_scheduledjob"
CHANGE_JOBS = "scheduler_app.change_scheduledjob"
RUN_JOBS = "scheduler_app.run_scheduledjob"
VIEW_RUNS = "scheduler_app.view_jobrun"
CANCEL_RUNS = "scheduler_app.change_jobrun"
VIEW_NODES = "scheduler_app.view_node"

_LESSER = re.compile(r"\.(view|run)_")


def may(user: Any, permission: str) -> bool:
    """Whether `user` has the Django permission; permission to change includes that to view and to run, as in the admin.

    A user model without permissions has none.
    """
    if not user.is_authenticated or not hasattr(user, "has_perm"):
        return False
    return bool(user.has_perm(permission) or user.has_perm(_LESSER.sub(".change_", permission)))


def owned_by(user: Any) -> Q:
    """Selects the rows whose `owner` (a name, or several with commas) means `user`."""
    names = "|".join(re.escape(name) for name in _names(user))
    return Q(owner__regex=rf"(^|,)\s*({names})\s*(,|$)") if names else Q(pk__in=())


def _names(user: Any) -> list[str]:
    """Everything by which an owner may mean this person: user name, e-mail address, groups."""
    email = str(getattr(user, get_user_model().get_email_field_name(), "") or "")
    names = list(user.groups.values_list("name", flat=True)) if has_groups(get_user_model()) else []
    return [name for name in (str(user.get_username()), email, *names) if name]


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
