"""Which channels there are: our own, those of installed packages (entry points) and those of EXTRA_CHANNELS."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from notifications_app import conf
from notifications_app.channels.apprise.channel import AppriseChannel
from notifications_app.channels.base import Channel, Message, Outcome, Person
from notifications_app.channels.configuration import mapping
from notifications_app.channels.email.channel import EmailChannel
from notifications_app.channels.sms.channel import SmsChannel
from notifications_app.channels.system.channel import SystemChannel
from notifications_app.channels.webhook.channel import WebhookChannel
from notifications_app.channels.wechat.channel import WechatChannel
from notifications_app.channels.wechat_app.channel import WechatAppChannel
from notifications_app.errors import ConfigurationError, MissingAddressError
from scheduler_app.texts import cut_line, storable

logger = logging.getLogger(__name__)

ENTRY_POINTS = "vigil.channels"
BUILT_IN: tuple[type[Channel], ...] = (
    SystemChannel,
    EmailChannel,
    WechatChannel,
    WechatAppChannel,
    SmsChannel,
    WebhookChannel,
    AppriseChannel,
)
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Broken:
    """A channel that was named and cannot be used; `source` says where it was named."""

    source: str
    problem: str


def names() -> tuple[str, ...]:
    """In the order in which people read them. The same as long as the process lives."""
    return tuple(_found()[0])


def kind_of(name: str) -> type[Channel]:
    """Raises KeyError for a name that is none."""
    return _found()[0][name]


def broken() -> Sequence[Broken]:
    return _found()[1]


def create(name: str, options: Mapping[str, Any]) -> Channel:
    """A channel with `options`. Raises KeyError for a name that is none."""
    kind = kind_of(name)
    if kind in BUILT_IN:
        return kind(options)
    try:
        return kind(options)
    except Exception as error:
        logger.exception("channel_not_made", extra={"channel": name})
        stand_in: type[_Unusable] = type(f"Unusable{name}", (_Unusable,), {"name": name})
        return stand_in(_words(error))


@cache
def shared(name: str) -> Channel:
    """The channel as the settings have it, one for the whole process: for questions, not for sending."""
    return create(name, conf.channel_options(name))


@cache
def reaches_all(name: str) -> bool:
    """Whether the channel is configured and reaches people without an address of their own, by a group or a site."""
    try:
        shared(name).address(Person(key="", name="?"))
    except MissingAddressError:
        return False
    return not shared(name).problem()


class _Unusable(Channel):
    """Stands for a foreign channel whose making failed: everything else goes on."""

    def __init__(self, why: str) -> None:
        super().__init__({})
        self._why = why

    def problem(self) -> str:
        text = _("%(channel)s cannot be made: %(why)s")
        return text % {"channel": self.name, "why": self._why}

    def address(self, person: Person) -> str:
        return person.name

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        error = ConfigurationError(self.problem())
        return [Outcome(message_id=message.id, error=error) for message in messages]


@cache
def _found() -> tuple[Mapping[str, type[Channel]], Sequence[Broken]]:
    known = {kind.name: kind for kind in BUILT_IN}
    refused = []
    for source, name, load in _named():
        try:
            kind = load()
        except Exception as error:  # noqa: BLE001 - told by a system check
            refused.append(Broken(source, f"it cannot be imported: {_words(error)}"))
            continue
        if known.get(name) is kind:
            continue
        if problem := _unfit(name, kind, known):
            refused.append(Broken(source, problem))
        else:
            known[name] = kind
    return known, tuple(refused)


def _named() -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Where a channel is named, its name, and what imports it."""
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        yield f"the entry point {point.name} = {point.value}", point.name, point.load
    for name, path in mapping(conf.SETTINGS.readable().get("EXTRA_CHANNELS")).items():
        source = f"VIGIL_NOTIFICATIONS['EXTRA_CHANNELS'][{name!r}] = {path!r}"
        yield source, str(name), partial(import_string, str(path))


def _unfit(name: str, kind: Any, known: Mapping[str, type[Channel]]) -> str:
    """Why `kind` cannot be the channel `name`, "" when it can."""
    if not _NAME.fullmatch(name):
        return "its name is not up to 32 capital letters, digits and underscores"
    if not (isinstance(kind, type) and issubclass(kind, Channel)):
        return "it is no subclass of notifications_app.channels.base.Channel"
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(kind.__abstractmethods__))
        return f"it does not have all of the contract: {missing}"
    if getattr(kind, "name", "") != name:
        return f"its class calls itself {getattr(kind, 'name', '')!r}"
    return f"there is a channel {name} already" if name in known else ""


def _words(error: Exception) -> str:
    return storable(cut_line(f"{type(error).__name__}: {error}", 300), 600)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "VIGIL_NOTIFICATIONS":
        _found.cache_clear()
        shared.cache_clear()
        reaches_all.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications_app.channels.registry")
