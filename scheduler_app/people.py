"""What every user model can be asked: what a person may do, and what a person owns."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth import get_user_model
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
    groups = getattr(user, "groups", None)
    names = list(groups.values_list("name", flat=True)) if groups is not None else []
    return [name for name in (user.get_username(), email, *names) if name]
