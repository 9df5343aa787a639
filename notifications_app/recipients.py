"""From an owner's name to people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from notifications_app import conf
from scheduler_app.closest import LOOKED_AT, suggestion
from scheduler_app.people import called_any, has_field, has_groups

SUPERUSERS = "\0superusers"
"""Stands for all superusers, whom every alert may reach as the last resort; no owner can be called so."""


def names_in(owner: str) -> list[str]:
    """The names in `owner`: a user name, an address or a group; several with commas."""
    return [name for name in (part.strip() for part in owner.split(",")) if name]


def default_names() -> list[str]:
    return [name for names in conf.get().DEFAULT_RECIPIENTS for name in names_in(names)]


def find(names: Iterable[str]) -> dict[str, list[Any]]:
    """The active users that each of `names` means, by primary key; two queries for any number of names."""
    wanted = list(set(names))
    model = get_user_model()
    members = _members(wanted)
    of_group = {pk for pks in members.values() for pk in pks}
    users = _active().filter(called_any(model, wanted) | Q(pk__among=list(of_group)))
    found: dict[str, dict[Any, Any]] = defaultdict(dict)
    for user in users:
        for name in (user.get_username(), getattr(user, model.get_email_field_name(), "")):
            found[str(name)][user.pk] = user
        for group, pks in members.items():
            if user.pk in pks:
                found[group][user.pk] = user
    return {name: [found[name][pk] for pk in sorted(found[name])] for name in wanted}


def resolve(owner: str) -> list[Any]:
    """The active users whom `owner` means, by primary key."""
    found = {user.pk: user for users in find(names_in(owner)).values() for user in users}
    return [found[pk] for pk in sorted(found)]


def problem_of(owner: str) -> str:
    """Which name of `owner` means no one, and why; "" when each means a person."""
    return problems_of([owner], find(names_in(owner))).get(owner, "")


def _members(names: Collection[str]) -> Mapping[str, set[Any]]:
    """Primary keys of the users in each group of `names`."""
    members: dict[str, set[Any]] = defaultdict(set)
    if has_groups(get_user_model()):
        rows = _active().filter(groups__name__among=list(names))
        for group, pk in rows.values_list("groups__name", "pk"):
            members[group].add(pk)
    return members


def superusers() -> list[Any]:
    """Active superusers; none where the user model does not know them."""
    if not has_field(get_user_model(), "is_superuser"):
        return []
    return list(_active().filter(is_superuser=True).order_by("pk"))


def names_of(user: Any) -> set[str]:
    """The names by which an owner can mean `user`."""
    names = {str(user.get_username()), str(getattr(user, user.get_email_field_name(), "") or "")}
    if has_groups(get_user_model()):
        names |= set(user.groups.values_list("name", flat=True))
    if getattr(user, "is_superuser", False):
        names.add(SUPERUSERS)
    return names - {""}


def _active() -> QuerySet[Any]:
    model = get_user_model()
    active = {"is_active": True} if has_field(model, "is_active") else {}
    return model._default_manager.filter(**active)


def why(owner: str, user: Any) -> str:
    """By which name `owner` means `user` now, "" when it does not."""
    own = names_in(owner)
    found = find([*own, *default_names()])
    has_people = any(found[name] for name in own)
    for name in own:
        if user in found[name]:
            facts = {"name": name, "owner": owner, "how": _how(name, user)}
            return _("The owner “%(owner)s” has %(how)s “%(name)s”.") % facts
    for name in default_names():
        if user in found[name]:
            facts = {"name": name, "owner": owner, "how": _how(name, user)}
            if has_people:
                text = _(
                    "No channel reaches the owner “%(owner)s”; DEFAULT_RECIPIENTS has %(how)s “%(name)s”."
                )
            else:
                text = _(
                    "The owner “%(owner)s” is nobody; DEFAULT_RECIPIENTS has %(how)s “%(name)s”."
                )
            return text % facts
    if user in superusers():
        text = _("No channel reaches the owner “%(owner)s” or DEFAULT_RECIPIENTS: a superuser.")
        return text % {"owner": owner}
    return ""


def _how(name: str, user: Any) -> str:
    if name == user.get_username():
        return _("the user")
    is_address = name == getattr(user, user.get_email_field_name(), None)
    return _("the address") if is_address else _("the group")


def _known_names() -> Iterator[str]:
    model = get_user_model()
    yield from model._default_manager.values_list(model.USERNAME_FIELD, flat=True)[:LOOKED_AT]
    yield from Group.objects.values_list("name", flat=True)[:LOOKED_AT]


def problems_of(owners: Iterable[str], found: Mapping[str, Collection[Any]]) -> dict[str, str]:
    """Which name of each owner means no one, by owner; `found` is `find` of their names. At most one query."""
    names = {owner: names_in(owner) for owner in owners}
    empty = {name for each in names.values() for name in each if not found[name]}
    groups: set[str] = set()
    if empty:
        groups = set(Group.objects.filter(name__among=list(empty)).values_list("name", flat=True))
    problems = {}
    for owner, each in names.items():
        wrong = next((name for name in each if name in empty), None)
        if wrong in groups:
            problems[owner] = _("The group “%(name)s” has no active member.") % {"name": wrong}
        elif wrong:
            text = _("Nobody and no group is called “%(name)s”.") % {"name": wrong}
            problems[owner] = f"{text} {suggestion(wrong, _known_names())}".strip()
        elif not each:
            problems[owner] = _("No owner is named.")
    return problems
