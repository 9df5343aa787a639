"""Whom an alert for an owner reaches: the people that it means, and stand-ins where no channel reaches them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from notifications_app import channel_states, conf, preferences, recipients
from notifications_app.channels import registry
from notifications_app.channels.system.channel import IN_APP
from notifications_app.errors import MissingAddressError
from notifications_app.models import NotificationSettings
from scheduler_app.states import Severity

STRICT_FROM = Severity.ERROR
"""From this severity up, an alert that no channel of its recipients delivers goes to other recipients."""
OBSTACLES_SHOWN = 6


class Wanted(NamedTuple):
    """An alert whose recipients are wanted; `about` is the channel that it is about, which cannot deliver it."""

    owner: str
    severity: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One channel to one person; `obstacle` says why no message comes by it, "" where one does."""

    channel: str
    address: str = ""
    obstacle: str = ""
    note: str = ""
    is_unwanted: bool = False
    """The obstacle is the person's own wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The recipients of an alert, as their settings."""

    people: Sequence[NotificationSettings]
    """Those whom the owner means."""
    stand_ins: Sequence[NotificationSettings] = ()
    """Those of DEFAULT_RECIPIENTS, where no channel reaches `people`."""
    last_resort: Sequence[NotificationSettings] = ()
    """Superusers, who are told in-app where no channel reaches `stand_ins` either."""
    obstacles: str = ""
    """Why no channel reaches `people`, "" where one does."""

    @property
    def told_by_wish(self) -> list[NotificationSettings]:
        """Those who are told by the channels that they chose."""
        return [*self.people, *self.stand_ins]

    @property
    def everyone(self) -> list[NotificationSettings]:
        return [*self.told_by_wish, *self.last_resort]


class Reach:
    """Channels and people as they are now, read in a fixed number of queries for any number of owners.

    An owner is reached when a channel that is up, other than the inbox, has an address of one of the people and is
    switched on by them. On a site without such a channel the inbox is enough.
    """

    def __init__(self, owners: Iterable[str]) -> None:
        self._owners = list(dict.fromkeys(owners))
        defaults = recipients.default_names()
        names = [name for owner in self._owners for name in recipients.names_in(owner)]
        self._found = recipients.find([*names, *defaults])
        users = {user.pk: user for users in self._found.values() for user in users}
        self._wishes = preferences.of_all(list(users.values()))
        self._defaults = self._people(defaults)
        self._superusers: list[NotificationSettings] | None = None
        self.states = channel_states.read()
        self._problems = channel_states.with_problems(self.states.values())
        self._ways: dict[tuple[Any, Wanted], list[Way]] = {}

    def audience(self, wanted: Wanted) -> Audience:
        people = self._meant_by(wanted.owner)
        if is_silent(wanted.owner) or self._reaches(people, wanted):
            return Audience(people=people)
        stand_ins = [one for one in self._defaults if one not in people]
        last = (
            [] if self._reaches(stand_ins, wanted) else self._chiefs([*people, *stand_ins], wanted)
        )
        obstacles = self._obstacles(people, wanted)
        return Audience(people=people, stand_ins=stand_ins, last_resort=last, obstacles=obstacles)

    def ways(self, person: NotificationSettings, wanted: Wanted) -> list[Way]:
        """One for each channel, by the severity of `wanted`."""
        key = (person.pk, wanted._replace(owner=""))
        if key not in self._ways:
            self._ways[key] = [self._way(person, name, wanted) for name in registry.names()]
        return self._ways[key]

    def open_ways(self, person: NotificationSettings, wanted: Wanted) -> list[Way]:
        """Those that count: by the inbox only where the site has no other channel."""
        return [
            way
            for way in self.ways(person, wanted)
            if not way.obstacle and (way.channel != IN_APP or not self.has_external(wanted.about))
        ]

    def is_complete(self, audience: Audience, wanted: Wanted) -> bool:
        """Whether every channel that the people want reaches them."""
        return not any(
            way.obstacle and not way.is_unwanted and way.channel != wanted.about
            for one in audience.told_by_wish
            for way in self.ways(one, wanted)
        )

    def has_external(self, about: str = "") -> bool:
        """Whether a channel other than the inbox is up."""
        return any(
            not problem and channel not in (IN_APP, about)
            for channel, problem in self._problems.items()
        )

    def problems(self) -> dict[str, str]:
        """By owner which of its names means no one."""
        return recipients.problems_of(filter(str.strip, self._owners), self._found)

    def _meant_by(self, owner: str) -> list[NotificationSettings]:
        """Without an owner DEFAULT_RECIPIENTS are meant."""
        return self._people(recipients.names_in(owner)) if owner.strip() else self._defaults

    def _people(self, names: Iterable[str]) -> list[NotificationSettings]:
        found = {user.pk: user for name in names for user in self._found[name]}
        return [self._wishes[pk] for pk in sorted(found)]

    def _chiefs(
        self, told: Iterable[NotificationSettings], wanted: Wanted
    ) -> list[NotificationSettings]:
        """Superusers whose inbox is not told already."""
        if self._superusers is None:
            self._superusers = list(preferences.of_all(recipients.superusers()).values())
        has_inbox = {
            one.pk for one in told if preferences.channels_for(one, wanted.severity, [IN_APP])
        }
        return [one for one in self._superusers if one.pk not in has_inbox]

    def _reaches(self, people: Iterable[NotificationSettings], wanted: Wanted) -> bool:
        strict = self._strict(wanted)
        return any(self.open_ways(one, strict) for one in people)

    def _strict(self, wanted: Wanted) -> Wanted:
        severity = max(wanted.severity, STRICT_FROM, key=preferences.RANK.__getitem__)
        return wanted._replace(severity=severity)

    def _obstacles(self, people: Iterable[NotificationSettings], wanted: Wanted) -> str:
        """In words, for channels that are up or switched off by a wish."""
        strict = self._strict(wanted)
        texts = dict.fromkeys(
            f"{way.channel}: {way.obstacle}"
            for one in people
            for way in self.ways(one, strict)
            if way.obstacle and not self._problems[way.channel]
        )
        return "; ".join([*texts][:OBSTACLES_SHOWN]) or _("no channel")

    def _way(self, person: NotificationSettings, name: str, wanted: Wanted) -> Way:
        channel, who = registry.shared(name), preferences.person_of(person)
        missing = ""
        try:
            address = channel.address(who)
        except MissingAddressError as error:
            address, missing = "", str(error)
        if unwanted := _unwanted(person, name, wanted.severity):
            return Way(name, address, unwanted, is_unwanted=True)
        if name == wanted.about:
            return Way(name, address, _("the alert is about this channel"))
        obstacle = self._problems[name] or missing
        return Way(name, address, obstacle, "" if obstacle else channel.without_mention(who))


def is_silent(owner: str) -> bool:
    return owner in conf.get().SILENT_OWNERS


def _unwanted(person: NotificationSettings, channel: str, severity: str) -> str:
    """Why the person does not want it by `channel`, "" when they do."""
    if not preferences.wants(person, channel):
        return _("switched off by the person")
    if not preferences.is_severe_enough(person, channel, severity):
        return _("%(severity)s is below the person's limit") % {"severity": severity}
    return ""
