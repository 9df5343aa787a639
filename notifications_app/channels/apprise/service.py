"""Services of the library apprise (appriseit.com): what a URL names, and how a message is sent to it.

The library is loaded when the first URL is looked at.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.utils.translation import gettext as _

from notifications_app.channels.apprise import answers, verdicts
from notifications_app.channels.base import Message
from notifications_app.channels.deadline import cut_off_after
from notifications_app.channels.outbound import watched
from notifications_app.errors import ConfigurationError, DeliveryError, PermanentError
from scheduler_app.masking import MASK
from scheduler_app.texts import clean, cut_line

LOCAL = frozenset({"blink1", "dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""They would speak to the machine of the worker."""
OF_FILES = frozenset({"keyfile", "pgpprv", "pgppub", "subfile", "template"})
"""Parameters that name a file, which a person could have read out and sent to themselves."""

# what would call a whole group, or hide where a link leads, at one service or another
_CALLS = re.compile(r"<(?=[@!#]|https?:)|@(?=(?:all|channel|everyone|here)\b)", re.IGNORECASE)
_WIDE = {"<": "＜", "@": "＠"}
_PIECES = re.compile(r"[/@:?&=,\s]+")

# they log URLs, with the secrets in them
for _name, _level in (("apprise", logging.INFO), ("urllib3", logging.INFO)):
    logging.getLogger(_name).setLevel(_level)


@dataclass(frozen=True, slots=True)
class Named:
    """What a URL names, without its secrets: `host` is empty where the service has a host of its own."""

    scheme: str
    host: str
    mark: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/…" if self.host else f"{self.scheme}://…#{self.mark}"


def lacks_library() -> str:
    """Why no service can be reached at all; "" where the library is installed."""
    if _is_installed():
        return ""
    return _("The package apprise is not installed: pip install 'vigil[apprise]'.")


@cache
def _is_installed() -> bool:
    try:
        return find_spec("apprise") is not None
    except ImportError:
        return False


@lru_cache(maxsize=1024)
def named(url: str) -> Named | None:
    """None for what is no URL of a service, and for every URL where the library is not installed."""
    if lacks_library():
        return None
    with watched():
        plugin = _plugin(url)
    if plugin is None:
        return None
    has_host = any("{host}" in template for template in plugin.templates)
    mark = hashlib.sha256(url.encode()).hexdigest()[:8]
    return Named(_scheme(url)[:32], str(plugin.host or "")[:60] if has_host else "", mark)


def problem_of(url: str, *, is_own: bool) -> str:
    """Why nothing is sent to `url`, "" when it is. One of a person (`is_own`) may do less than one in the settings."""
    if lacking := lacks_library():
        return lacking
    if is_own and _scheme(url) in LOCAL:
        return _("This service belongs to the machine that Vigil runs on.")
    parameters = {name.lower() for name, _value in parse_qsl(urlsplit(url).query)}
    if is_own and (files := sorted(parameters & OF_FILES)):
        return _("The parameter %(name)s names a file of the server.") % {"name": files[0]}
    return "" if named(url) else _("This is not a URL of a service that Apprise knows.")


def notify(url: str, message: Message, left_s: float, *, is_own: bool) -> tuple[str, str]:
    """Code and answer of what took the message. Raises DeliveryError."""
    if lacking := lacks_library():
        raise ConfigurationError(lacking)
    if problem := problem_of(url, is_own=is_own):
        raise PermanentError(problem)
    # what a proxy dials for a person is not seen here
    with watched() as watch, answers.kept(takes_proxy=not is_own) as seen, _warnings() as said:
        with cut_off_after(left_s, watch.end) as over:
            plugin = _ready(url, left_s)
            is_taken = _handed_over(plugin, message, said)
        refusal = None if over.is_set() else watch.refusal
    if refusal:
        raise refusal
    heard = verdicts.Heard(
        service=f"{plugin.service_name}",
        scheme=_scheme(url),
        is_taken=is_taken and not over.is_set(),
        answer=None if over.is_set() else seen.answer(lambda text: without(url, text)),
        was_sent=seen.was_sent,
        said=without(url, cut_line(" ".join(said[-1:]), 200)),
    )
    return verdicts.of(heard)


def _handed_over(plugin: Any, message: Message, said: list[str]) -> bool:
    try:
        return bool(plugin.notify(**_words(message)))
    except DeliveryError:
        raise
    except Exception as error:  # noqa: BLE001 - one service of nearly two hundred
        said.append(type(error).__name__)
        return False


def without(url: str, text: str) -> str:
    """`text` without any longer piece of `url`."""
    for piece in {*_PIECES.split(url), *_PIECES.split(unquote(url))}:
        if len(piece) >= 8:
            text = text.replace(piece, MASK)
    return text


def _words(message: Message) -> dict[str, Any]:
    from apprise import NotifyFormat, NotifyType

    usual = {"INFO": NotifyType.INFO, "WARNING": NotifyType.WARNING}
    kind = usual.get(message.severity, NotifyType.FAILURE)
    head, _line, rest = message.text.partition("\n")
    return {
        "title": _defused(cut_line(message.subject, 200)),
        "body": _defused(clean(rest.strip() or head)),
        "notify_type": NotifyType.SUCCESS if message.kind == "resolve" else kind,
        "body_format": NotifyFormat.TEXT,
    }


def _defused(text: str) -> str:
    return _CALLS.sub(lambda found: _WIDE[found[0]], text)


def _ready(url: str, left_s: float) -> Any:
    """A fresh service that neither waits, tries again nor follows anybody."""
    from apprise import OverflowMode

    plugin = _plugin(url)
    plugin.request_rate_per_sec = 0.0
    plugin.redirects = False
    plugin.socket_connect_timeout = left_s / 3
    plugin.socket_read_timeout = left_s
    if plugin.overflow_mode is OverflowMode.UPSTREAM:
        plugin.overflow_mode = OverflowMode.TRUNCATE
    return plugin


def _plugin(url: str) -> Any:
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="Vigil", app_desc="Vigil", async_mode=False, http_redirects=False)
    with _warnings():
        return Apprise.instantiate(url, asset=asset)


def _scheme(url: str) -> str:
    return url.partition("://")[0].strip().lower()


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the library says in this thread; it says it to nobody else, as its words may hold secrets."""
    handler = _Collector()
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler.said
    finally:
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.said.append(record.getMessage())
