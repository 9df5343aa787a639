"""The types that a variable can have: how a text becomes a value, and what is said of one that does not.

A kind is pure: it asks neither files nor networks.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from project.configuration.words import Words, _

COMMENT = re.compile(r"\s+#.*$")
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
MOST_SHOWN = 80


class NotAllowedError(ValueError):
    """A text that is not of the kind. `instead`: what was probably meant, safe to show."""

    def __init__(self, why: Words | None = None, *, instead: str = "") -> None:
        super().__init__(str(why or ""))
        self.why, self.instead = why, instead


class Kind:
    """The base of all kinds."""

    allowed: Words = _("a text")
    """What a value has to be, as a noun."""
    example: str = ""
    is_free: ClassVar[bool] = False
    """Whether a value may hold `#`, and characters of full width, as they are."""

    def parse(self, text: str) -> Any:
        """The value. Raises NotAllowedError."""
        return text

    def empty(self) -> Any:
        """What stands for no value."""
        return ""

    def shown(self, text: str) -> str:
        """`text` without what is secret in it."""
        cut = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
        return repr(cut)

    def tidied(self, text: str) -> str:
        """`text` without a comment behind it, and with the usual characters in place of those of full width."""
        return text if self.is_free else COMMENT.sub("", text.translate(FULL_WIDTH)).strip()


class Text(Kind):
    """Any text, such as a password or a name."""

    is_free = True

    def parse(self, text: str) -> str:
        if not text.isprintable():
            raise NotAllowedError(_("it holds a character that cannot be printed"))
        return text


class Bool(Kind):
    allowed = _("true or false (also yes, no, on, off, 1, 0)")
    example = "true"
    words: ClassVar[dict[str, bool]] = {
        **dict.fromkeys(("true", "yes", "on", "1", "y", "t"), True),
        **dict.fromkeys(("false", "no", "off", "0", "n", "f"), False),
    }

    def parse(self, text: str) -> bool:
        if (value := self.words.get(text.lower())) is None:
            raise NotAllowedError(instead=close(text.lower(), ("true", "false", "yes", "off")))
        return value


@dataclass(frozen=True)
class Integer(Kind):
    least: int = 0
    most: int = 2**31 - 1

    def __post_init__(self) -> None:
        facts = {"least": self.least, "most": self.most}
        object.__setattr__(self, "allowed", _("a whole number from %(least)s to %(most)s", **facts))

    def parse(self, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not self.least <= int(text) <= self.most:
            raise NotAllowedError
        return int(text)


PORT = Integer(1, 65_535)


class Choice(Kind):
    """One of some words, in any case; the value is the word as it is declared."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.allowed = _("one of %(words)s", words=", ".join(words))
        self.example = words[0]

    def parse(self, text: str) -> str:
        for word in self.words:
            if word.lower() == text.lower():
                return word
        raise NotAllowedError(instead=close(text, self.words))


LOG_LEVEL = Choice("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")


class Items(Kind):
    """A list with commas (or semicolons) between its items; empty text is an empty list."""

    def __init__(self, item: Kind, allowed: Words, example: str) -> None:
        self.item, self.allowed, self.example = item, allowed, example

    def parse(self, text: str) -> list[Any]:
        items = [item.strip() for item in re.split(r"[,;，；、]", text)]
        return [self._one(item.strip("'\"")) for item in items if item]

    def empty(self) -> list[Any]:
        return []

    def _one(self, item: str) -> Any:
        try:
            return self.item.parse(item)
        except NotAllowedError as error:
            why = _("%(item)s is not usable", item=repr(item))
            raise NotAllowedError(why, instead=error.instead) from None


class Host(Kind):
    """A host name or an address; `*` and a leading dot as Django takes them."""

    _NAME = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*\.?|\[[0-9a-fA-F:.]+\]")

    def parse(self, text: str) -> str:
        if "://" in text or "/" in text:
            inner = text.partition("://")[2] or text
            raise NotAllowedError(instead=re.split(r"[/:?#]", inner)[0])
        if self._NAME.fullmatch(text):
            return text
        name, colon, port = text.rpartition(":")
        if colon and port.isdigit() and self._NAME.fullmatch(name):
            raise NotAllowedError(instead=name)
        if _is_ipv6(text):
            raise NotAllowedError(instead=f"[{text}]")
        raise NotAllowedError


HOSTS = Items(
    Host(),
    _("a list of host names, without scheme and port, with commas"),
    "vigil.example.com,localhost",
)


class Network(Kind):
    def parse(self, text: str) -> str:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise NotAllowedError from None
        return text


NETWORKS = Items(
    Network(), _("a list of networks with commas, as in 10.2.0.0/16"), "10.2.0.0/16,fd00::/8"
)


class Module(Kind):
    """The dotted name of a Python module, or of a management command where `allows_commands`."""

    allowed = _("the dotted name of a Python module")
    example = "shop.jobs"

    def __init__(self, *, allows_commands: bool = False) -> None:
        self._pattern = re.compile(
            r"(management:[\w.-]+)|[^\W\d]\w*(\.[^\W\d]\w*)*"
            if allows_commands
            else r"[^\W\d]\w*(\.[^\W\d]\w*)*"
        )

    def parse(self, text: str) -> str:
        if self._pattern.fullmatch(text):
            return text
        guess = text.removesuffix(".py").strip("./").replace("/", ".").replace("-", "_")
        raise NotAllowedError(instead=guess if self._pattern.fullmatch(guess) else "")


MODULES = Items(
    Module(allows_commands=True),
    _("a list of Python modules, or of commands as in management:NAME, with commas"),
    "shop.jobs,management:clearsessions",
)
NAMES = Items(Text(), _("a list of names with commas"), "olga,ops@example.com")


class File(Kind):
    """A path; a relative one begins at the folder of manage.py."""

    allowed = _("a path")
    example = "/srv/vigil/var"

    def parse(self, text: str) -> Path:
        if not text.isprintable():
            raise NotAllowedError(_("it holds a character that cannot be printed"))
        return Path(text).expanduser()


class TimeZone(Kind):
    allowed = _("the name of a time zone")
    example = "Asia/Shanghai"
    usual: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("beijing", "asia/beijing", "shanghai", "utc+8", "gmt+8"), "Asia/Shanghai"),
        "cst": "Asia/Shanghai",
    }

    def parse(self, text: str) -> str:
        try:
            zoneinfo.ZoneInfo(text)
        except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
            raise NotAllowedError(instead=self._guess(text.lower())) from None
        return text

    def _guess(self, text: str) -> str:
        known = {name.lower(): name for name in zoneinfo.available_timezones()}
        found = self.usual.get(text) or known.get(text) or known.get(close(text, list(known)), "")
        return found or next((name for low, name in known.items() if low.endswith(f"/{text}")), "")


class Duration(Kind):
    """A length of time, as a number of seconds or with a unit; the value is in seconds."""

    allowed = _("a length of time, as in 30, 30s, 5m, 2h or 1d")
    example = "30s"
    seconds: ClassVar[dict[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

    def parse(self, text: str) -> float:
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhd]?)", text.lower())
        if not found:
            raise NotAllowedError
        return float(found[1]) * self.seconds[found[2]]


class SecretKey(Kind):
    """Django's SECRET_KEY, judged as `manage.py check --deploy` does (security.W009)."""

    allowed = _("a random text of 50 characters or more")
    is_free = True
    least, least_distinct, weak = 50, 5, "django-insecure-"

    def parse(self, text: str) -> str:
        if len(text) < self.least:
            raise NotAllowedError(_("its length is %(count)s", count=len(text)))
        if len(set(text)) < self.least_distinct:
            raise NotAllowedError(_("it repeats a few characters"))
        if text.startswith(self.weak):
            raise NotAllowedError(_("it begins with %(begin)s", begin=self.weak))
        return text


def close(text: str, words: Sequence[str], cutoff: float = 0.6) -> str:
    """The word that `text` probably means, "" when none is near."""
    return next(iter(difflib.get_close_matches(text, words, n=1, cutoff=cutoff)), "")


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
