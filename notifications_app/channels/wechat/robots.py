"""Which robot an alert's post goes to, by `ROBOTS` and `ROUTES`, and as what kind of post.

    "WEBHOOK_URL": "https://...key=...",                  # the robot of all that no route names
    "ROBOTS": {"payments": "https://...key=...", "payments2": "https://...key=..."},
    "ROUTES": [
        {"category": "pay*", "robot": ["payments", "payments2"]},  # two in one group: 40 a minute
        {"severity": ["ERROR", "CRITICAL"], "labels": {"job_id": "nightly"}, "robot": "payments", "format": "card"},
    ],

The first route that fits decides. An alert keeps its robot, so that its messages stay in order.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _

from notifications_app.channels.base import Topic
from notifications_app.channels.configuration import listed, mapping, setting

HOST = "qyapi.weixin.qq.com"
EXAMPLE = f"https://{HOST}/cgi-bin/webhook/send?key=YOUR_KEY"
PATTERNS = ("severity", "category", "owner")
ROUTE_KEYS = frozenset({*PATTERNS, "labels", "robot", "format"})


class Format(Enum):
    TEXT = "text"
    MARKDOWN = "markdown"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Robot:
    url: str = field(repr=False)

    @property
    def key(self) -> str:
        """The secret in the URL; "" for what is not the URL of a robot."""
        try:
            parts = urlsplit(self.url)
            keys = parse_qs(parts.query).get("key", [""])
        except ValueError:
            return ""
        return keys[0] if parts.scheme in ("http", "https") and parts.hostname else ""

    @property
    def has_misspelt_host(self) -> bool:
        """Whether the host is nearly that of WeChat Work; another one may be a proxy."""
        host = urlsplit(self.url).hostname or ""
        return host != HOST and bool(get_close_matches(host, [HOST], cutoff=0.8))

    @property
    def lane(self) -> str:
        """Names the robot without giving its key away."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a topic goes: to one of `robots`, the same for all of an alert."""

    robots: Sequence[Robot]
    format: Format

    def robot(self, topic: Topic) -> Robot:
        return self.robots[zlib.crc32(topic.thread.encode()) % len(self.robots)]


class Routes:
    """Ask `problem` first: with wrong options everything goes to the robot of WEBHOOK_URL."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        robots = mapping(options.get("ROBOTS"))
        self.robots = {name: Robot(str(url).strip()) for name, url in robots.items()}
        self._options = options
        self._default = Route(
            [Robot(setting(options, "WEBHOOK_URL"))], format_of(options) or Format.TEXT
        )
        self._rules = [
            (rule, Route([self.robots[name] for name in _names(rule)], self._format(rule)))
            for rule in _rules(options)
            if set(_names(rule)) <= set(self.robots)
        ]

    def __iter__(self) -> Iterator[Robot]:
        yield from self._default.robots
        yield from self.robots.values()

    def of(self, topic: Topic) -> Route:
        for rule, route in self._rules:
            if _fits(rule, topic):
                return route
        return self._default

    def name_of(self, lane: str) -> str:
        """The name in ROBOTS of the robot of `lane`, WEBHOOK_URL for the one of the rest; else `lane`."""
        named = {robot.lane: name for name, robot in self.robots.items()}
        return {**named, self._default.robots[0].lane: "WEBHOOK_URL"}.get(lane, lane)

    def problem(self) -> str:
        """What is wrong with the options beside WEBHOOK_URL, "" when nothing is. Shows no URL."""
        if format_of(self._options) is None:
            return _("WECHAT_FORMAT is not understood: write text, markdown or card")
        for name, robot in self.robots.items():
            if not robot.key:
                text = _("WECHAT ROBOTS[%(name)r] is not the whole URL of a group robot")
                return text % {"name": name}
        for number, rule in enumerate(listed(self._options.get("ROUTES")), 1):
            if why := self._fault(rule):
                return _("WECHAT ROUTES, entry %(number)d: %(why)s") % {
                    "number": number,
                    "why": why,
                }
        return ""

    def _fault(self, rule: Any) -> str:
        if not isinstance(rule, Mapping):
            return _("it is not a dict")
        if unknown := sorted(str(key) for key in set(rule) - ROUTE_KEYS):
            return _("unknown key %(key)s") % {"key": unknown[0]}
        if strange := [name for name in _names(rule) if name not in self.robots]:
            return _("ROBOTS has no %(name)r") % {"name": strange[0]}
        if not _names(rule):
            return _("it names no robot")
        if "format" in rule and not _format(rule["format"]):
            return _("its format is none of text, markdown and card")
        return ""

    def _format(self, rule: Mapping[str, Any]) -> Format:
        return _format(rule.get("format")) or self._default.format


def format_of(options: Mapping[str, Any]) -> Format | None:
    """The option FORMAT, `text` without one; None when it is not understood."""
    return _format(setting(options, "FORMAT") or "text")


def _format(word: Any) -> Format | None:
    try:
        return Format(str(word).lower())
    except ValueError:
        return None


def _fits(rule: Mapping[str, Any], topic: Topic) -> bool:
    """Whether each pattern of `rule` (one, or a list of which one has to) fits; `*` stands for any text."""
    said = {"severity": topic.severity, "category": topic.category, "owner": topic.owner}
    wanted = [(rule[name], said[name]) for name in PATTERNS if name in rule]
    labels = mapping(rule.get("labels"))
    wanted += [(pattern, str(topic.labels.get(name, ""))) for name, pattern in labels.items()]
    return all(
        any(fnmatchcase(value, str(one)) for one in listed(pattern)) for pattern, value in wanted
    )


def _rules(options: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = listed(options.get("ROUTES"))
    return [rule for rule in found if isinstance(rule, Mapping) and _names(rule)]


def _names(rule: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in listed(rule.get("robot"))]
