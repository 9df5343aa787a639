"""Any service of the library apprise (DingTalk, Feishu, Slack, ...), by a URL of the person or of the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from django.utils import translation
from django.utils.translation import gettext as _

from notifications_app.channels.apprise import service
from notifications_app.channels.base import NO_TOPIC, Channel, Message, Outcome, Person, Topic
from notifications_app.channels.calls import Deadline, by_target
from notifications_app.channels.configuration import lacking, setting
from notifications_app.channels.targets import Target, blaming, target_of
from notifications_app.errors import MissingAddressError, PermanentError
from scheduler_app.masking import add_secret
from scheduler_app.texts import cut_line

MOST_S = 20.0
"""How long one service may take."""
NAMES_LIMIT = 200


class AppriseChannel(Channel):
    """One post for all people whose messages go to one URL; a lane is a service and its host, or its secret's hash."""

    name = "APPRISE"
    option_names = frozenset({"ENABLED", "URL", "RATE_LIMIT"})
    batch_by_group: ClassVar[bool] = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._url = setting(options, "URL")
        add_secret(self._url)

    def problem(self) -> str:
        if found := lacking(self.name, self.options, ()):
            return found
        if missing := service.lacks_library():
            return missing
        why = service.problem_of(self._url, is_own=False) if self._url else ""
        return _("APPRISE_URL: %(why)s") % {"why": why} if why else ""

    def address(self, person: Person) -> str:
        target = target_of(person.apprise_url, self._url)
        if target is None:
            raise MissingAddressError(_("no Apprise URL set for %(name)s") % {"name": person.name})
        return shown(target.url)

    def without_mention(self, person: Person) -> str:
        target = target_of(person.apprise_url, self._url)
        is_shared = target is not None and not target.is_own
        return _("posted to the site's group without a mention") if is_shared else ""

    def lane(self, address: str, topic: Topic = NO_TOPIC) -> str:
        return address.removesuffix("/…")[:64]

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return by_target(messages, self.target, self._notify)

    def target(self, message: Message) -> Target | None:
        return target_of(message.person.apprise_url, self._url)

    def _notify(self, messages: Sequence[Message], deadline: Deadline) -> tuple[str, str]:
        target = self.target(messages[0])
        if target is None:
            raise PermanentError("This person has no Apprise URL.")
        left_s = min(deadline.left_s(), MOST_S)
        with blaming(target):
            message = messages[0] if target.is_own else _naming(messages)
            return service.notify(target.url, message, left_s, is_own=target.is_own)


def _naming(messages: Sequence[Message]) -> Message:
    """The first message, with the names of all whom its post is for."""
    first = messages[0]
    names = ", ".join(dict.fromkeys(message.person.name for message in messages))
    with translation.override(first.person.language):
        line = cut_line(f"{_('For')}: {names}", NAMES_LIMIT)
    return replace(first, text=f"{first.text.rstrip()}\n\n{line}\n")


def shown(url: str) -> str:
    """All that may be seen of `url`."""
    return str(service.named(url) or "…")
