"""From an owner's name to people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils.translation import gettext as _

from notifications_app import conf
from scheduler_app.closest import LOOKED_AT, suggestion
from scheduler_app.people import called, has_field, has_groups


def resolve(owner: str) -> list[Any]:
    """The active users whom `owner` (a user name, an address or a group; several with commas) means.

    Where that is nobody: those of DEFAULT_RECIPIENTS.
    """
    return _people(_names(owner)) or _people(conf.get().DEFAULT_RECIPIENTS)


def why(owner: str, user: Any) -> str:
    """By which name `owner` means `user` now, "" when it does not."""
    own = _names(owner)
    is_default = not _people(own)
    for name in conf.get().DEFAULT_RECIPIENTS if is_default else own:
        if _users_called(name).filter(pk=user.pk).exists():
            facts = {"name": name, "owner": owner, "how": _how(name, user)}
            if is_default:
                text = _(
                    "The owner “%(owner)s” is nobody; DEFAULT_RECIPIENTS has %(how)s “%(name)s”."
                )
            else:
                text = _("The owner “%(owner)s” has %(how)s “%(name)s”.")
            return text % facts
    return ""


def _how(name: str, user: Any) -> str:
    if name == user.get_username():
        return _("the user")
    is_address = name == getattr(user, user.get_email_field_name(), None)
    return _("the address") if is_address else _("the group")


def problem_of(owner: str) -> str:
    """Why nobody would be told by this name, "" when somebody would."""
    for name in _names(owner):
        if not _users_called(name).exists():
            if Group.objects.filter(name=name).exists():
                return _("The group “%(name)s” has no active member.") % {"name": name}
            text = _("Nobody and no group is called “%(name)s”.") % {"name": name}
            return f"{text} {suggestion(name, _known_names())}".strip()
    return "" if _names(owner) else _("No owner is named.")


def _known_names() -> Iterator[str]:
    model = get_user_model()
    yield from model._default_manager.values_list(model.USERNAME_FIELD, flat=True)[:LOOKED_AT]
    yield from Group.objects.values_list("name", flat=True)[:LOOKED_AT]


def _names(owner: str) -> list[str]:
    return [name for name in (part.strip() for part in owner.split(",")) if name]


def _people(names: Iterable[str]) -> list[Any]:
    found = {user.pk: user for name in names for user in _users_called(name)}
    return [found[key] for key in sorted(found)]


def _users_called(name: str) -> Any:
    model = get_user_model()
    wanted = called(model, name)
    if has_groups(model):
        wanted |= Q(groups__name=name)
    active = {"is_active": True} if has_field(model, "is_active") else {}
    return model._default_manager.filter(wanted, **active).distinct()
